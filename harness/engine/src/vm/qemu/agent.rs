//! The guest agent: commands inside the VM, out of band of every network.
//!
//! On a freshly booted host it is qemu-ga (<https://qemu-project.gitlab.io/qemu/interop/qemu-ga-ref.html>). Where the
//! lab has started its own agent in qemu-ga's place (the crate `spawnlab-agent`), commands cost one
//! round trip and no polling; which of the two answers is found out by asking.

use std::{
    io::Read,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::UnixStream,
};

pub use super::output::{Output, Status};
use super::{
    channel::{Channel, ChannelError},
    output::ExecStatus,
};
use crate::util::{
    error::{Error, Result, Timeout},
    poll::{self, Seen},
};

/// How long the agent may take for anything but a command's own run time. A machine whose processors are emulated,
/// on one that is busy, may stand still for half of it.
const QUICK: Duration = Duration::from_secs(60);

/// The tools of Debian and of NixOS, wherever they are, as a variable of the environment.
pub(crate) const PATH: &str = "PATH=/run/wrappers/bin:/run/current-system/sw/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The commands' environment.
const ENVIRONMENT: [&str; 4] = [PATH, "HOME=/root", "LANG=C.UTF-8", "SYSTEMD_COLORS=0"];

/// A connection to the agent of one VM. Cloning it shares the connection.
#[derive(Debug, Clone)]
pub struct Agent {
    channel: Channel,
    // Set after an unanswered request: the agent's parser may hold half of something.
    out_of_step: Arc<AtomicBool>,
    // Set when `spawnlab-run` was refused: it is qemu-ga that answers, which has to be polled.
    polled: Arc<AtomicBool>,
    // Names the next command, for the case that it has to be killed.
    token: Arc<AtomicU64>,
}

fn channel_failed(error: &ChannelError) -> Error {
    Error::Agent(error.to_string())
}

impl Agent {
    /// Serves the socket of an agent that may not be up yet.
    #[must_use]
    pub fn new(stream: UnixStream) -> Self {
        let (reader, writer) = stream.into_split();
        Self::over(reader, writer)
    }

    /// The same for an agent that is heard by `reader` and asked by `writer`.
    pub(super) fn over<R, W>(reader: R, writer: W) -> Self
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        // An agent resumed from a layer may still answer its parent's last question.
        let first_id = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(1, |since| since.subsec_nanos().into());
        Self {
            channel: Channel::serve(reader, writer, first_id << 20, None),
            out_of_step: Arc::new(AtomicBool::new(true)),
            polled: Arc::new(AtomicBool::new(false)),
            token: Arc::new(AtomicU64::new(first_id << 20)),
        }
    }

    /// Waits until the agent answers; `limit` covers the whole boot. After [`Self::forget`] it
    /// waits for the agent of the next boot.
    ///
    /// # Errors
    /// [`Error::Timeout`], or [`Error::Agent`] when the socket closes (QEMU ended).
    pub async fn wait(&self, limit: Duration) -> Result<()> {
        let pace = Duration::from_millis(50);
        poll::until("the guest agent", limit, pace, || async {
            match self.sync(Duration::from_millis(500)).await {
                Ok(()) => Ok(Seen::Ready(())),
                Err(ChannelError::Unanswered { .. }) => Ok(Seen::NotYet("no answer".into())),
                Err(error) => Err(channel_failed(&error)),
            }
        })
        .await
    }

    /// Waits until it is the lab's own agent that answers.
    ///
    /// # Errors
    /// As [`Self::wait`].
    pub async fn wait_for_own(&self, limit: Duration) -> Result<()> {
        let pace = Duration::from_millis(50);
        let moment = Duration::from_secs(1);
        poll::until("the lab's own agent", limit, pace, || async {
            self.forget();
            let asked = async {
                self.sync(moment).await?;
                let nothing = json!({ "token": 0 });
                self.channel.request("spawnlab-kill", nothing, moment).await
            };
            match asked.await {
                Ok(_) => Ok(Seen::Ready(())),
                Err(error @ ChannelError::Closed { .. }) => Err(channel_failed(&error)),
                Err(error) => Ok(Seen::NotYet(error.to_string())),
            }
        })
        .await
    }

    /// Forgets what is known of the agent, as before a reboot.
    pub fn forget(&self) {
        self.out_of_step.store(true, Ordering::Relaxed);
        self.polled.store(false, Ordering::Relaxed);
    }

    /// Sets the clock of a host that was just resumed to `now`, gives it random numbers of its own,
    /// and returns the file `nonce`: one request where the lab's own agent runs. Otherwise it is a
    /// command, and the random numbers are the business of the machine's `vmgenid`.
    ///
    /// # Errors
    /// As [`Self::shell`]; a missing file is an [`Error::Agent`].
    pub async fn resumed(&self, now: Duration, nonce: &str, limit: Duration) -> Result<String> {
        let arguments = json!({
            "seconds": now.as_secs(),
            "nanoseconds": now.subsec_nanos(),
            "seed": STANDARD.encode(seed()?),
            "nonce": nonce,
        });
        // The byte makes a fresh start of whatever the agent was in the middle of, so that a
        // round trip for being in step is spared.
        let answer = self
            .channel
            .request_after(&[0xff], "spawnlab-resumed", arguments, limit.max(QUICK))
            .await;
        match answer {
            Ok(value) => {
                self.out_of_step.store(false, Ordering::Relaxed);
                Ok(value.as_str().unwrap_or_default().to_owned())
            }
            Err(error) if unknown(&error) => {
                self.polled.store(true, Ordering::Relaxed);
                let seconds = format!("{}.{:09}", now.as_secs(), now.subsec_nanos());
                let script = format!("date -u -s @{seconds} >/dev/null && cat {nonce}");
                let output = self.shell(&script, b"", limit).await?;
                if output.status.success() {
                    return Ok(output.stdout);
                }
                Err(Error::Agent(format!(
                    "{}: {}",
                    output.status,
                    output.stderr.trim()
                )))
            }
            Err(error) => Err(channel_failed(&error)),
        }
    }

    async fn sync(&self, limit: Duration) -> Result<(), ChannelError> {
        let id = u32::from(std::process::id() as u16);
        self.channel
            .request_after(&[0xff], "guest-sync-delimited", json!({ "id": id }), limit)
            .await?;
        self.out_of_step.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Asks the agent for `command`, in step.
    ///
    /// # Errors
    /// [`Error::Agent`] when it refuses, does not answer within a minute, or is gone.
    pub async fn request(&self, command: &str, arguments: Value) -> Result<Value> {
        if self.out_of_step.load(Ordering::Relaxed) {
            self.sync(QUICK)
                .await
                .map_err(|error| channel_failed(&error))?;
        }
        self.channel
            .request(command, arguments, QUICK)
            .await
            .map_err(|error| {
                if matches!(error, ChannelError::Unanswered { .. }) {
                    self.out_of_step.store(true, Ordering::Relaxed);
                }
                channel_failed(&error)
            })
    }

    /// Runs `sh -c script` as root on the host with `stdin`, and waits for its end.
    ///
    /// # Errors
    /// [`Error::Timeout`] after `limit` (the command is killed then), [`Error::Agent`].
    pub async fn shell(&self, script: &str, stdin: &[u8], limit: Duration) -> Result<Output> {
        let mut arguments = json!({
            "path": "/bin/sh",
            "arg": ["-c", script],
            "env": ENVIRONMENT,
        });
        if !stdin.is_empty() {
            arguments["input-data"] = STANDARD.encode(stdin).into();
        }
        let what = format!("`{}` to end", first_line(script));
        if !self.polled.load(Ordering::Relaxed) {
            if let Some(output) = self.run(arguments.clone(), &what, limit).await? {
                return Ok(output);
            }
            self.polled.store(true, Ordering::Relaxed);
        }
        self.exec(arguments, &what, limit).await
    }

    /// By the lab's own agent: one answer, when the command has ended. `None` without that agent.
    async fn run(
        &self,
        mut arguments: Value,
        what: &str,
        limit: Duration,
    ) -> Result<Option<Output>> {
        if self.out_of_step.load(Ordering::Relaxed) {
            self.sync(QUICK)
                .await
                .map_err(|error| channel_failed(&error))?;
        }
        let token = self.token.fetch_add(1, Ordering::Relaxed);
        arguments["token"] = token.into();
        match self.channel.request("spawnlab-run", arguments, limit).await {
            Ok(answer) => parsed(answer)?.output().map(Some),
            Err(error) if unknown(&error) => Ok(None),
            Err(ChannelError::Unanswered { .. }) => {
                // Nobody waits for it any more; left alone it would disturb what comes next.
                let killed = self
                    .request("spawnlab-kill", json!({ "token": token }))
                    .await;
                let last = match killed {
                    Ok(Value::Bool(true)) => "it still ran, and was killed".to_owned(),
                    Ok(_) => "the agent does not know it any more".to_owned(),
                    Err(error) => error.to_string(),
                };
                Err(Error::Timeout(Timeout {
                    what: what.to_owned(),
                    waited: limit,
                    last,
                }))
            }
            Err(error) => Err(channel_failed(&error)),
        }
    }

    /// By qemu-ga: start it, and ask until it has ended.
    async fn exec(&self, mut arguments: Value, what: &str, limit: Duration) -> Result<Output> {
        arguments["capture-output"] = true.into();
        let started = self.request("guest-exec", arguments).await?;
        let pid = started["pid"]
            .as_i64()
            .ok_or_else(|| Error::Agent("guest-exec returned no pid".into()))?;
        let pace = Duration::from_millis(60);
        let ended = poll::until(what, limit, pace, || async {
            let answer = self
                .request("guest-exec-status", json!({ "pid": pid }))
                .await?;
            let status = parsed(answer)?;
            Ok(if status.exited {
                Seen::Ready(status)
            } else {
                Seen::NotYet(format!("process {pid} still runs"))
            })
        })
        .await;
        match ended {
            Ok(status) => status.output(),
            Err(error) => {
                // As above.
                let kill = json!({ "path": "/bin/sh", "arg": ["-c", format!("kill -KILL {pid}")] });
                let _ = self.request("guest-exec", kill).await;
                Err(error)
            }
        }
    }
}

/// Whether the agent does not know the command.
fn unknown(error: &ChannelError) -> bool {
    matches!(error, ChannelError::Refused { class, .. } if class == "CommandNotFound")
}

fn parsed(answer: Value) -> Result<ExecStatus> {
    serde_json::from_value(answer).map_err(|error| Error::answer("the guest agent", error))
}

/// What no sibling of a clone has.
fn seed() -> Result<[u8; 32]> {
    let mut seed = [0; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut seed)?;
    Ok(seed)
}

/// A script's first line, shortened for messages.
#[must_use]
pub fn first_line(script: &str) -> String {
    let line = script.trim().lines().next().unwrap_or_default();
    let short: String = line.chars().take(100).collect();
    if short.len() < script.trim().len() {
        format!("{short} …")
    } else {
        short
    }
}

#[cfg(test)]
#[path = "agent_tests.rs"]
mod tests;
