//! Requests and answers as JSON lines over one socket: the monitor's and the guest agent's alike.
//!
//! A caller may give up on a request at any moment (a timeout, a dropped future). Its id stays in
//! the pending map until the answer comes, so a late answer is recognised and thrown away and can
//! never be taken for the answer to a later request.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    sync::{mpsc, oneshot},
};

/// Why a request got no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    /// The other side refused: its class and its words.
    #[error("{command} was refused: {desc} ({class})")]
    Refused {
        /// The command.
        command: String,
        /// QEMU's error class, such as `CommandNotFound`.
        class: String,
        /// Its explanation.
        desc: String,
    },
    /// No answer in time. The channel stays usable.
    #[error("{command} was not answered within {}", humantime::format_duration(*.limit))]
    Unanswered {
        /// The command.
        command: String,
        /// How long was waited.
        limit: Duration,
    },
    /// The socket is closed: as a rule the other process has ended.
    #[error("{command}: the connection is closed")]
    Closed {
        /// The command.
        command: String,
    },
}

type Answer = std::result::Result<Value, (String, String)>;
type Pending = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<Answer>>>>>;

/// One socket with its pending requests. Cloning it shares the socket.
#[derive(Debug, Clone)]
pub struct Channel {
    outgoing: mpsc::UnboundedSender<Vec<u8>>,
    pending: Pending,
    next_id: Arc<AtomicU64>,
}

impl Channel {
    /// Serves `stream` from two tasks of the current runtime, until it closes.
    ///
    /// `first_id` should be unlike that of an earlier channel to the same program: a resumed
    /// guest agent may still answer what its parent was asked. `events` receives every line that
    /// is no answer (monitor events, the greeting); a line that is no JSON is dropped, as is
    /// everything up to a 0xFF byte, which is how the agent marks a fresh start.
    pub fn serve<R, W>(
        reader: R,
        mut writer: W,
        first_id: u64,
        events: Option<mpsc::UnboundedSender<Value>>,
    ) -> Self
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let pending: Pending = Arc::new(Mutex::new(Some(HashMap::new())));
        let (outgoing, mut lines) = mpsc::unbounded_channel::<Vec<u8>>();
        // A line is written whole or the socket is broken: no caller's cancellation can cut it.
        tokio::spawn(async move {
            while let Some(line) = lines.recv().await {
                if writer.write_all(&line).await.is_err() || writer.flush().await.is_err() {
                    break;
                }
            }
        });
        tokio::spawn(read_answers(reader, Arc::clone(&pending), events));
        Self {
            outgoing,
            pending,
            next_id: Arc::new(AtomicU64::new(first_id)),
        }
    }

    /// Asks for `command` with `arguments` (null for none) and waits at most `limit`.
    ///
    /// # Errors
    /// [`ChannelError`]; after `Unanswered` the channel can be used on.
    pub async fn request(
        &self,
        command: &str,
        arguments: Value,
        limit: Duration,
    ) -> Result<Value, ChannelError> {
        self.request_after(&[], command, arguments, limit).await
    }

    /// As [`Self::request`], with `prefix` bytes in front of the line.
    ///
    /// # Errors
    /// As [`Self::request`].
    pub async fn request_after(
        &self,
        prefix: &[u8],
        command: &str,
        arguments: Value,
        limit: Duration,
    ) -> Result<Value, ChannelError> {
        let closed = || ChannelError::Closed {
            command: command.to_owned(),
        };
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let mut message = json!({ "execute": command, "id": id });
        if !arguments.is_null() {
            message["arguments"] = arguments;
        }
        let mut line = prefix.to_vec();
        line.extend(message.to_string().as_bytes());
        line.push(b'\n');
        let (sender, receiver) = oneshot::channel();
        match lock(&self.pending).as_mut() {
            Some(pending) => pending.insert(id, sender),
            None => return Err(closed()),
        };
        self.outgoing.send(line).map_err(|_| closed())?;
        match tokio::time::timeout(limit, receiver).await {
            Err(_) => Err(ChannelError::Unanswered {
                command: command.to_owned(),
                limit,
            }),
            Ok(Err(_)) => Err(closed()),
            Ok(Ok(Ok(value))) => Ok(value),
            Ok(Ok(Err((class, desc)))) => Err(ChannelError::Refused {
                command: command.to_owned(),
                class,
                desc,
            }),
        }
    }

    /// Requests sent and not answered yet, those that nobody waits for any more included.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        lock(&self.pending).as_ref().map_or(0, HashMap::len)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn read_answers<R: AsyncRead + Unpin>(
    reader: R,
    pending: Pending,
    events: Option<mpsc::UnboundedSender<Value>>,
) {
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    loop {
        line.clear();
        match reader.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        let fresh = line
            .iter()
            .rposition(|byte| *byte == 0xff)
            .map_or(0, |at| at + 1);
        let Ok(message) = serde_json::from_slice::<Value>(&line[fresh..]) else {
            continue;
        };
        let waiting = message
            .get("id")
            .and_then(Value::as_u64)
            .and_then(|id| lock(&pending).as_mut()?.remove(&id));
        if let Some(sender) = waiting {
            // The caller may have given up: then nobody takes the answer, which is fine.
            let _ = sender.send(answer(message));
        } else if let Some(events) = &events {
            let _ = events.send(message);
        }
    }
    // Dropping the senders wakes every caller with `Closed`; `None` refuses later ones.
    lock(&pending).take();
}

fn answer(mut message: Value) -> Answer {
    match message.get("error") {
        None => Ok(message["return"].take()),
        Some(error) => {
            let text = |key: &str| error[key].as_str().unwrap_or("unknown").to_owned();
            Err((text("class"), text("desc")))
        }
    }
}

#[cfg(test)]
#[path = "channel_tests.rs"]
mod tests;
