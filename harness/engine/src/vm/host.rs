//! A running VM that plays the container host, and what can be done with it.
//!
//! What it does with commands is in [`Verbs`].

use std::{
    io::Write,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;

use crate::{
    util::error::{Error, Result},
    verdict::finding::HOST,
    vm::{
        container::Container,
        identity::Identity,
        qemu::{
            agent::{Output, first_line},
            args::Accel,
            machine::Machine,
        },
        verbs::{COMMAND, PACE, Verbs},
    },
};

mod life;
mod rest;
mod whole;

/// How long a boot may take with KVM.
const BOOT: Duration = Duration::from_secs(60);

/// What a saved state holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SavedState {
    /// Devices only: the memory is a file that was mapped shared.
    WithoutMemory,
    /// Devices and memory: what a private clone has written is nowhere else.
    WithMemory,
}

/// A container host. Dropping it kills its VM.
#[derive(Debug)]
pub struct Host {
    machine: Machine,
    identity: Option<Identity>,
    timeout_factor: u32,
    evidence: Utf8PathBuf,
    transcript: Mutex<fs_err::File>,
    last: Mutex<Last>,
    born: OnceLock<SystemTime>,
}

/// What a report says of a scenario that was cut short.
#[derive(Debug, Default)]
struct Last {
    command: String,
    container: Option<String>,
}

impl Host {
    /// Takes charge of `machine`; commands are noted in `evidence/commands.log`, each with the time when it
    /// was given and what it printed.
    ///
    /// # Errors
    /// When the note can't be written.
    pub fn new(machine: Machine, accel: Accel, evidence: &Utf8Path) -> Result<Self> {
        let transcript = fs_err::OpenOptions::new()
            .create(true)
            .append(true)
            .open(evidence.join("commands.log"))?;
        Ok(Self {
            machine,
            identity: None,
            timeout_factor: accel.timeout_factor(),
            evidence: evidence.to_owned(),
            transcript: Mutex::new(transcript),
            last: Mutex::default(),
            born: OnceLock::new(),
        })
    }

    /// The same as the machine of a lab that `identity` describes; [`Self::identify`] makes it that one.
    #[must_use]
    pub fn with_identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Its name in its lab; [`HOST`] for the one machine of most labs.
    #[must_use]
    pub fn name(&self) -> &str {
        self.identity.as_ref().map_or(HOST, |it| &it.name)
    }

    /// What its neighbours know it by.
    ///
    /// # Panics
    /// When it is the one machine of its lab, which has no network.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "which machines a scenario has stands in its declaration"
    )]
    pub fn identity(&self) -> &Identity {
        let identity = self.identity.as_ref();
        identity.expect("a machine of a lab with several: machines(..) in its declaration")
    }

    /// Gives it the name, the addresses and the machine id of its identity, and the names of its neighbours.
    ///
    /// # Errors
    /// As [`Verbs::succeed`].
    pub async fn identify(&self, all: &[Identity]) -> Result<()> {
        match &self.identity {
            Some(identity) => self.succeed(&identity.script(all)).await.map(drop),
            None => Ok(()),
        }
    }

    /// Its VM.
    #[must_use]
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Where its evidence goes.
    #[must_use]
    pub fn evidence(&self) -> &Utf8Path {
        &self.evidence
    }

    /// When it was resumed, by its own clock, which was set then; absent where it was booted. What it
    /// logged before is its layer's.
    #[must_use]
    pub fn born(&self) -> Option<SystemTime> {
        self.born.get().copied()
    }

    /// Says that it goes on where `before` ended: what that one logged is this one's, too, and so is the container
    /// that was asked for last.
    pub(crate) fn follows(&self, before: &Self) {
        if let Some(born) = before.born() {
            let _ = self.born.set(born);
        }
        self.last().container = before.last_container();
    }

    /// `limit`, stated for a machine with KVM, for this machine.
    #[must_use]
    pub fn limit(&self, limit: Duration) -> Duration {
        limit * self.timeout_factor
    }

    /// The container `name`, which need not exist.
    #[must_use]
    pub fn container(&self, name: &str) -> Container<'_> {
        self.asked_for(name);
        Container::new(self, name)
    }

    /// Notes that the scenario is about the container `name` from here on.
    pub(crate) fn asked_for(&self, name: &str) {
        self.last().container = Some(name.to_owned());
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The command that was started last, shortened.
    #[must_use]
    pub fn last_command(&self) -> String {
        self.last().command.clone()
    }

    /// The container that was asked for last.
    #[must_use]
    pub fn last_container(&self) -> Option<String> {
        self.last().container.clone()
    }

    /// As [`Verbs::execute_within`], with `stdin`.
    ///
    /// # Errors
    /// When it does not end in time, or the agent or QEMU fails.
    pub async fn execute_with(
        &self,
        script: &str,
        stdin: &[u8],
        limit: Duration,
    ) -> Result<Output> {
        self.last().command = first_line(script);
        let (at, begin) = (Timestamp::now(), Instant::now());
        let shell = self.machine.agent().shell(script, stdin, self.limit(limit));
        let result = self.machine.alive(shell).await;
        self.note(script, at, begin.elapsed(), &result);
        result
    }

    fn note(&self, script: &str, at: Timestamp, took: Duration, result: &Result<Output>) {
        let mut log = self
            .transcript
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // As a shell shows what is typed: where the script ends and its output begins is seen.
        let script = script.trim_end().replace('\n', "\n> ");
        let _ = match result {
            Ok(output) => writeln!(
                log,
                "{at:.3} $ {script}\n{}{}-- {} after {} ms{}\n",
                output.stdout,
                output.stderr,
                output.status,
                took.as_millis(),
                output
                    .notes
                    .iter()
                    .map(|note| format!("; {note}"))
                    .collect::<String>()
            ),
            Err(error) => writeln!(log, "{at:.3} $ {script}\n-- {error}\n"),
        };
    }

    /// Waits for the guest agent of a machine that boots.
    ///
    /// # Errors
    /// [`Error::Timeout`] with the console's last line, or QEMU's last words.
    pub async fn wait_for_boot(&self) -> Result<()> {
        let wait = self.machine.agent().wait(self.limit(BOOT));
        self.machine.alive(wait).await.map_err(|error| match error {
            Error::Timeout(mut timeout) => {
                timeout.last = format!("{}; console: {}", timeout.last, self.console_tail(3));
                Error::Timeout(timeout)
            }
            other => other,
        })
    }

    /// The last `lines` lines of the console.
    #[must_use]
    pub fn console_tail(&self, lines: usize) -> String {
        let bytes = fs_err::read(self.evidence.join("console.log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let all: Vec<&str> = text.trim().lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    /// Ends the VM; its guest is not asked.
    ///
    /// # Errors
    /// When the kernel does not tell how QEMU ended.
    pub async fn shut_down(self) -> Result<()> {
        self.machine.quit().await
    }
}

impl Verbs for Host {
    async fn execute_within(&self, script: &str, limit: Duration) -> Result<Output> {
        self.execute_with(script, b"", limit).await
    }

    fn limit(&self, limit: Duration) -> Duration {
        Self::limit(self, limit)
    }
}
