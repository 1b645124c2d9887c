//! A running VM: its process, its monitor and its agent.

use std::{fs::File, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};

use super::{
    agent::Agent,
    args::{self, MachineSpec},
    monitor::Monitor,
    process::{Process, ProcessSpec},
    sockets::Sockets,
};
use crate::util::{error::Result, scratch::Scratch};

/// QEMU for the one architecture that the lab has images for.
pub const QEMU: &str = "qemu-system-x86_64";

/// A VM under the lab's control. Dropping it kills it.
#[derive(Debug)]
pub struct Machine {
    // Declared first: QEMU is dead before the folder of its sockets goes.
    process: Process,
    monitor: Monitor,
    agent: Agent,
    scratch: Scratch,
}

impl Machine {
    /// Starts QEMU on `memory`, the file that `spec` asks for if it does, and connects to its monitor.
    /// Console output goes to `evidence/console.log`, QEMU's own words to `evidence/qemu.log`.
    ///
    /// # Errors
    /// When QEMU ends early (its words are in the error) or does not open its sockets in time.
    pub async fn start(
        spec: &MachineSpec,
        memory: impl Into<Option<File>>,
        evidence: &Utf8Path,
    ) -> Result<Self> {
        let scratch = Scratch::new()?;
        let sockets = Sockets::bind(scratch.path())?;
        let process = Process::start(ProcessSpec {
            program: QEMU.to_owned(),
            args: args::command_line(spec, scratch.path(), &evidence.join("console.log")),
            stdin: memory.into(),
            log: evidence.join("qemu.log"),
        })?;
        let connect = async {
            let (monitor, agent) = sockets.accept().await?;
            Ok::<_, crate::Error>((Monitor::connect(monitor).await?, Agent::new(agent)))
        };
        let (monitor, agent) = tokio::select! {
            connected = connect => connected?,
            error = process.ended_early() => return Err(error),
        };
        Ok(Self {
            process,
            monitor,
            agent,
            scratch,
        })
    }

    /// One whose `monitor` and `agent` a test plays, beside a process that only sleeps.
    #[cfg(test)]
    pub(super) fn played(monitor: Monitor, agent: Agent, evidence: &Utf8Path) -> Result<Self> {
        let process = Process::start(ProcessSpec {
            program: "sleep".to_owned(),
            args: vec!["1000".to_owned()],
            stdin: None,
            log: evidence.join("qemu.log"),
        })?;
        Ok(Self {
            process,
            monitor,
            agent,
            scratch: Scratch::new()?,
        })
    }

    /// Its monitor.
    #[must_use]
    pub fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    /// Its guest agent.
    #[must_use]
    pub fn agent(&self) -> &Agent {
        &self.agent
    }

    /// The socket behind the guest's `/dev/hvc0`: a terminal for people.
    #[must_use]
    pub fn shell_socket(&self) -> Utf8PathBuf {
        self.scratch.path().join(args::SHELL)
    }

    /// QEMU's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Runs `body`, but ends with QEMU's last words as soon as QEMU dies under it, or can't go on.
    ///
    /// # Errors
    /// Those of `body`, the early end of QEMU, and a guest that was stopped for want of disk.
    pub async fn alive<T>(&self, body: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            result = body => match result {
                Ok(value) => Ok(value),
                // A broken socket is what a dying QEMU looks like first: wait for the death certificate.
                Err(error) => match tokio::time::timeout(Duration::from_millis(200), self.process.ended_early()).await {
                    Ok(death) => Err(death),
                    Err(_) => Err(error),
                },
            },
            error = self.process.ended_early() => Err(error),
            error = self.monitor.stopped_by_disk() => Err(error),
        }
    }

    /// Kills it as a power cut does: neither the guest nor QEMU is told.
    ///
    /// # Errors
    /// When the kernel does not tell how it ended.
    pub async fn kill(&self) -> Result<()> {
        self.process.kill();
        self.process.wait().await.map(drop)
    }

    /// Ends it in an orderly way, by force after a few seconds.
    ///
    /// # Errors
    /// When the kernel does not tell how it ended.
    pub async fn quit(self) -> Result<()> {
        let _ = tokio::time::timeout(Duration::from_secs(2), self.monitor.quit()).await;
        self.process.end(Duration::from_secs(5)).await.map(drop)
    }
}
