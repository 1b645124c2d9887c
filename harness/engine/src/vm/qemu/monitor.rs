//! The QEMU machine protocol: the commands that the lab uses, with their limits.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::UnixStream,
    sync::{mpsc, watch},
};

use super::channel::{Channel, ChannelError};
use crate::util::{
    error::{Error, Result},
    poll::{self, Seen},
};

/// A command that QEMU answers at once, even on a busy machine.
const QUICK: Duration = Duration::from_secs(30);

/// A connection to one QEMU's monitor, past the capabilities negotiation.
#[derive(Debug, Clone)]
pub struct Monitor {
    channel: Channel,
    stopped: watch::Receiver<Option<String>>,
}

impl From<ChannelError> for Error {
    fn from(error: ChannelError) -> Self {
        Self::Monitor(error.to_string())
    }
}

/// Why QEMU stops the guest, if `event` says that it does.
fn stopping(event: &Value) -> Option<String> {
    let data = &event["data"];
    if event["event"] != "BLOCK_IO_ERROR" || data["action"] != "stop" {
        return None;
    }
    let disk = data["device"].as_str().filter(|disk| !disk.is_empty());
    let disk = disk.or(data["qom-path"].as_str()).unwrap_or("a disk");
    let reason = data["reason"].as_str().unwrap_or("no reason given");
    Some(format!(
        "the guest was stopped, for what it writes to {disk} can't be kept: {reason}; as a rule the disk is full that holds it (for a clone: $TMPDIR, or /var/tmp)"
    ))
}

impl Monitor {
    /// Takes the greeting and negotiates.
    ///
    /// # Errors
    /// When QEMU does not greet within 30 s or refuses.
    pub async fn connect(stream: UnixStream) -> Result<Self> {
        let (reader, writer) = stream.into_split();
        Self::over(reader, writer).await
    }

    /// The same for a QEMU that is heard by `reader` and asked by `writer`.
    pub(super) async fn over<R, W>(reader: R, writer: W) -> Result<Self>
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, mut events) = mpsc::unbounded_channel();
        let channel = Channel::serve(reader, writer, 1, Some(sender));
        match tokio::time::timeout(QUICK, events.recv()).await {
            Ok(Some(greeting)) if greeting.get("QMP").is_some() => {}
            Ok(Some(other)) => return Err(Error::Monitor(format!("greeted with {other}"))),
            Ok(None) => return Err(Error::Monitor("closed before the greeting".into())),
            Err(_) => return Err(Error::Monitor("no greeting within 30 s".into())),
        }
        let (stop, stopped) = watch::channel(None);
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                if let Some(why) = stopping(&event) {
                    stop.send_replace(Some(why));
                }
            }
        });
        let monitor = Self { channel, stopped };
        monitor.run("qmp_capabilities", Value::Null).await?;
        Ok(monitor)
    }

    /// Waits until QEMU stops the guest by itself, because it can't write what the guest writes: the
    /// guest would not notice and hang for ever. Otherwise this never ends.
    pub async fn stopped_by_disk(&self) -> Error {
        let mut stopped = self.stopped.clone();
        let why = match stopped.wait_for(Option::is_some).await {
            Ok(why) => why.clone(),
            // The connection is closed, and others notice that.
            Err(_) => None,
        };
        match why {
            Some(why) => Error::Qemu(why),
            None => std::future::pending().await,
        }
    }

    /// Runs any command that is answered at once.
    ///
    /// # Errors
    /// [`Error::Monitor`] with QEMU's words.
    pub async fn run(&self, command: &str, arguments: Value) -> Result<Value> {
        Ok(self.channel.request(command, arguments, QUICK).await?)
    }

    /// Stops the virtual processors; block devices are flushed by QEMU on the way.
    ///
    /// # Errors
    /// [`Error::Monitor`].
    pub async fn stop(&self) -> Result<()> {
        self.run("stop", Value::Null).await.map(drop)
    }

    /// Lets the virtual processors run.
    ///
    /// # Errors
    /// [`Error::Monitor`].
    pub async fn cont(&self) -> Result<()> {
        self.run("cont", Value::Null).await.map(drop)
    }

    /// Says whether memory mapped shared is left out of the stream: it is in its file already.
    ///
    /// # Errors
    /// [`Error::Monitor`].
    pub async fn ignore_shared_memory(&self, ignore: bool) -> Result<()> {
        let capabilities = json!({
            "capabilities": [{ "capability": "x-ignore-shared", "state": ignore }]
        });
        self.run("migrate-set-capabilities", capabilities)
            .await
            .map(drop)
    }

    /// Writes the state of a stopped machine to `file` and waits until it is there.
    ///
    /// # Errors
    /// When the migration fails (with QEMU's reason) or takes longer than `limit`.
    pub async fn save_to(&self, file: &str, limit: Duration) -> Result<()> {
        // The default bandwidth makes a stream that holds the memory take seconds.
        self.run(
            "migrate-set-parameters",
            json!({ "max-bandwidth": i64::MAX / 2 }),
        )
        .await?;
        self.run("migrate", json!({ "uri": format!("file:{file}") }))
            .await?;
        self.migration_completed("the machine's state to be saved", limit)
            .await
    }

    /// Reads the state from `file` into a machine started with `-incoming defer`.
    ///
    /// # Errors
    /// When QEMU refuses the state (with its reason) or takes longer than `limit`.
    pub async fn load_from(&self, file: &str, limit: Duration) -> Result<()> {
        self.run("migrate-incoming", json!({ "uri": format!("file:{file}") }))
            .await?;
        self.migration_completed("the machine's state to be loaded", limit)
            .await
    }

    async fn migration_completed(&self, what: &str, limit: Duration) -> Result<()> {
        poll::until(what, limit, Duration::from_millis(3), || async {
            let answer = self.run("query-migrate", Value::Null).await?;
            let status = answer["status"].as_str().unwrap_or("none");
            match status {
                "completed" => Ok(Seen::Ready(())),
                "failed" | "cancelled" => Err(Error::Monitor(format!(
                    "migration {status}: {}",
                    answer["error-desc"].as_str().unwrap_or("no reason given")
                ))),
                _ => Ok(Seen::NotYet(status.to_owned())),
            }
        })
        .await
    }

    /// Tells QEMU to end. The answer may be lost in the end itself, which is fine.
    pub async fn quit(&self) {
        let _ = self.channel.request("quit", Value::Null, QUICK).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

    use super::*;

    /// Plays a recorded conversation: each expected command with the lines QEMU answered.
    async fn play(stream: UnixStream, script: &'static [(&'static str, &'static str)]) {
        let (reader, mut writer) = stream.into_split();
        let mut lines = BufReader::new(reader).lines();
        writer
            .write_all(b"{\"QMP\": {\"version\": {}, \"capabilities\": [\"oob\"]}}\n")
            .await
            .unwrap();
        for (command, answer) in script {
            let line = lines.next_line().await.unwrap().expect("a command");
            let request: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(request["execute"], *command);
            let answer = answer.replace("$ID", &request["id"].to_string());
            writer.write_all(answer.as_bytes()).await.unwrap();
        }
    }

    const OK: &str = "{\"return\": {}, \"id\": $ID}\n";

    #[tokio::test]
    async fn saving_waits_for_completion_past_events() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let peer = tokio::spawn(play(
            theirs,
            &[
                ("qmp_capabilities", OK),
                (
                    "stop",
                    "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 0}, \"event\": \"STOP\"}\n{\"return\": {}, \"id\": $ID}\n",
                ),
                ("migrate-set-capabilities", OK),
                ("migrate-set-parameters", OK),
                ("migrate", OK),
                (
                    "query-migrate",
                    "{\"return\": {\"status\": \"active\"}, \"id\": $ID}\n",
                ),
                (
                    "query-migrate",
                    "{\"return\": {\"status\": \"completed\"}, \"id\": $ID}\n",
                ),
            ],
        ));
        let monitor = Monitor::connect(ours).await.unwrap();
        monitor.stop().await.unwrap();
        monitor.ignore_shared_memory(true).await.unwrap();
        monitor
            .save_to("/state", Duration::from_secs(5))
            .await
            .unwrap();
        peer.await.unwrap();
    }

    #[tokio::test]
    async fn a_refused_state_says_why() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let peer = tokio::spawn(play(
            theirs,
            &[
                ("qmp_capabilities", OK),
                ("migrate-incoming", OK),
                (
                    "query-migrate",
                    "{\"return\": {\"status\": \"failed\", \"error-desc\": \"Unknown ramblock\"}, \"id\": $ID}\n",
                ),
            ],
        ));
        let monitor = Monitor::connect(ours).await.unwrap();
        let error = monitor
            .load_from("/state", Duration::from_secs(5))
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "qemu monitor: migration failed: Unknown ramblock"
        );
        peer.await.unwrap();
    }

    #[tokio::test]
    async fn a_guest_that_was_stopped_by_a_full_disk_is_noticed() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let peer = tokio::spawn(play(
            theirs,
            &[
                ("qmp_capabilities", OK),
                (
                    "cont",
                    "{\"return\": {}, \"id\": $ID}\n{\"timestamp\": {\"seconds\": 1, \"microseconds\": 0}, \"event\": \"BLOCK_IO_ERROR\", \"data\": {\"device\": \"\", \"node-name\": \"#block148\", \"reason\": \"No space left on device\", \"nospace\": true, \"operation\": \"write\", \"action\": \"stop\", \"qom-path\": \"/machine/peripheral-anon/device[0]\"}}\n",
                ),
            ],
        ));
        let monitor = Monitor::connect(ours).await.unwrap();
        monitor.cont().await.unwrap();
        let error = monitor.stopped_by_disk().await;
        insta::assert_snapshot!(error, @"qemu: the guest was stopped, for what it writes to /machine/peripheral-anon/device[0] can't be kept: No space left on device; as a rule the disk is full that holds it (for a clone: $TMPDIR, or /var/tmp)");
        peer.await.unwrap();
    }

    #[test]
    fn an_error_that_the_guest_is_told_of_stops_nobody() {
        let event = json!({ "event": "BLOCK_IO_ERROR", "data": { "action": "report" } });
        assert_eq!(stopping(&event), None);
        assert_eq!(stopping(&json!({ "event": "STOP" })), None);
    }

    #[tokio::test]
    async fn something_else_on_the_socket_is_named() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(b"{\"hello\": 1}\n").await.unwrap();
        let error = Monitor::connect(ours).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"qemu monitor: greeted with {"hello":1}"#
        );
    }
}
