//! A child process that cannot outlive the lab: its death is noticed at once, and so is ours.

use std::{
    fs::File,
    os::{
        fd::OwnedFd,
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{Child, Command, ExitStatus, Stdio},
    sync::{OnceLock, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::sync::watch;

use crate::util::error::{Error, Result};

/// Which program to start, and with what.
#[derive(Debug)]
pub struct ProcessSpec {
    /// Program, by path or found on `PATH`.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its descriptor 0, or nothing. A descriptor handed over this way reaches this child alone.
    pub stdin: Option<File>,
    /// Where standard output and standard error go, from the first byte; appended to.
    pub log: Utf8PathBuf,
}

/// A running child.
#[derive(Debug)]
pub struct Process {
    pid: Pid,
    // Signals go to this process and never to a later one with the same id.
    pidfd: OwnedFd,
    ended: watch::Receiver<Option<Ended>>,
    waiter: Option<JoinHandle<()>>,
    program: String,
    log: Utf8PathBuf,
}

type Ended = Result<ExitStatus, String>;

type Order = (Command, mpsc::Sender<std::io::Result<Child>>);

/// The parent-death signal fires when the *thread* that started the child ends, so all children
/// are started by one thread that lives as long as the process.
fn spawner() -> &'static mpsc::Sender<Order> {
    static SPAWNER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    SPAWNER.get_or_init(|| {
        let (sender, orders) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, reply) in orders {
                let _ = reply.send(command.spawn());
            }
        });
        sender
    })
}

/// Ends when its parent is another by now: it died before the signal was armed.
const ARMED: &str = r#"[ "$PPID" = "$0" ] || exit 125; exec "$@""#;

impl Process {
    /// Starts the program so that the kernel kills it when this process ends, however it ends.
    ///
    /// # Errors
    /// When the log can't be written, or `setpriv` (util-linux) is missing. A program that does
    /// not exist shows as an early end with status 127.
    pub fn start(spec: ProcessSpec) -> Result<Self> {
        let log = fs_err::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&spec.log)?;
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--", "/bin/sh", "-c", ARMED])
            .arg(std::process::id().to_string())
            .arg(&spec.program)
            .args(&spec.args)
            .stdin(spec.stdin.map_or_else(Stdio::null, Stdio::from))
            .stdout(Stdio::from(log.file().try_clone()?))
            .stderr(Stdio::from(log.into_parts().0))
            // Ctrl-C at the terminal is the lab's to handle: it must not kill VMs behind its back.
            .process_group(0);
        let (reply, started) = mpsc::channel();
        let lost = || Error::Qemu("the thread that starts processes is gone".into());
        spawner().send((command, reply)).map_err(|_| lost())?;
        let child = started.recv().map_err(|_| lost())?.map_err(|error| {
            Error::Machine(format!(
                "setpriv could not be started: {error}; install util-linux"
            ))
        })?;
        let pid = Pid::from_child(&child);
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).map_err(std::io::Error::from)?;
        let (sender, ended) = watch::channel(None);
        let waiter = std::thread::spawn(move || {
            let mut child = child;
            let status = child.wait().map_err(|error| error.to_string());
            sender.send_replace(Some(status));
        });
        Ok(Self {
            pid,
            pidfd,
            ended,
            waiter: Some(waiter),
            program: spec.program,
            log: spec.log,
        })
    }

    /// Process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When the kernel refuses to tell.
    pub async fn wait(&self) -> Result<ExitStatus> {
        let mut ended = self.ended.clone();
        let lost =
            |why: &str| Error::Qemu(format!("the end of process {} is lost: {why}", self.pid()));
        let status = ended
            .wait_for(Option::is_some)
            .await
            .map_err(|_| lost("its waiter is gone"))?;
        match status.as_ref() {
            Some(Ok(status)) => Ok(*status),
            Some(Err(why)) => Err(lost(why)),
            None => Err(lost("nothing was reported")),
        }
    }

    /// Waits for its end and describes it as an error, with the last lines it wrote.
    pub async fn ended_early(&self) -> Error {
        match self.wait().await {
            Ok(status) => self.obituary(status),
            Err(error) => error,
        }
    }

    fn obituary(&self, status: ExitStatus) -> Error {
        let words = fs_err::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = words.trim().lines().collect();
        let last = lines[lines.len().saturating_sub(15)..].join("\n");
        // QEMU's memory is a file: when the file system is full, touching it raises SIGBUS.
        let hint = if status.signal() == Some(Signal::BUS.as_raw()) {
            " (as a rule this means that the disk is full)"
        } else {
            ""
        };
        let said = if last.is_empty() { "nothing" } else { &last };
        Error::Qemu(format!(
            "{} ended by itself with {status}{hint}; it said: {said}",
            self.program
        ))
    }

    /// Asks it to end by SIGTERM, waits `grace`, then kills it. Returns how it ended.
    ///
    /// # Errors
    /// When the kernel refuses to tell.
    pub async fn end(&self, grace: Duration) -> Result<ExitStatus> {
        let _ = pidfd_send_signal(&self.pidfd, Signal::TERM);
        if let Ok(ended) = tokio::time::timeout(grace, self.wait()).await {
            return ended;
        }
        tracing::warn!(pid = self.pid(), program = %self.program, "ignored SIGTERM; killing it");
        self.kill();
        self.wait().await
    }

    /// Kills it at once.
    pub fn kill(&self) {
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
    }

    /// The file that holds what it wrote.
    #[must_use]
    pub fn log(&self) -> &Utf8Path {
        &self.log
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // After its end the signal finds nobody, and joining is immediate.
        self.kill();
        if let Some(waiter) = self.waiter.take() {
            let _ = waiter.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fake(dir: &tempfile::TempDir, script: &str) -> ProcessSpec {
        let log = Utf8PathBuf::from_path_buf(dir.path().join("qemu.log")).unwrap();
        ProcessSpec {
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
            stdin: None,
            log,
        }
    }

    #[tokio::test]
    async fn an_early_end_tells_status_and_last_words() {
        let dir = tempfile::tempdir().unwrap();
        let spec = fake(&dir, "echo 'no such device: flux' >&2; exit 1");
        let error = Process::start(spec).unwrap().ended_early().await;
        let text = error.to_string();
        assert!(text.contains("exit status: 1"), "{text}");
        assert!(text.contains("no such device: flux"), "{text}");
    }

    #[tokio::test]
    async fn a_missing_program_is_an_early_end() {
        let dir = tempfile::tempdir().unwrap();
        let mut spec = fake(&dir, "");
        spec.program = "/nowhere/qemu".into();
        let text = Process::start(spec)
            .unwrap()
            .ended_early()
            .await
            .to_string();
        assert!(text.contains("127"), "{text}");
        assert!(text.contains("/nowhere/qemu"), "{text}");
    }

    #[tokio::test]
    async fn one_that_ignores_term_is_killed() {
        let dir = tempfile::tempdir().unwrap();
        let spec = fake(&dir, "trap '' TERM; echo ready; while :; do sleep 1; done");
        let process = Process::start(spec).unwrap();
        let log = process.log().to_owned();
        crate::util::poll::until(
            "the trap",
            Duration::from_secs(20),
            Duration::from_millis(20),
            || async {
                Ok(match fs_err::read_to_string(&log)? {
                    text if text.contains("ready") => crate::util::poll::Seen::Ready(()),
                    text => crate::util::poll::Seen::NotYet(text),
                })
            },
        )
        .await
        .unwrap();
        let status = process.end(Duration::from_millis(200)).await.unwrap();
        assert_eq!(status.signal(), Some(Signal::KILL.as_raw()));
    }

    #[tokio::test]
    async fn a_crash_by_sigbus_is_read_as_a_full_disk() {
        let dir = tempfile::tempdir().unwrap();
        let error = Process::start(fake(&dir, "kill -BUS $$"))
            .unwrap()
            .ended_early()
            .await;
        assert!(error.to_string().contains("disk is full"), "{error}");
    }

    #[tokio::test]
    async fn dropping_kills_and_reaps() {
        let dir = tempfile::tempdir().unwrap();
        let process = Process::start(fake(&dir, "sleep 1000")).unwrap();
        let proc = format!("/proc/{}", process.pid());
        assert!(std::fs::exists(&proc).unwrap());
        drop(process);
        assert!(!std::fs::exists(&proc).unwrap());
    }

    #[tokio::test]
    async fn a_descriptor_reaches_this_child_alone() {
        let dir = tempfile::tempdir().unwrap();
        let ram = dir.path().join("ram");
        fs_err::write(&ram, "memory").unwrap();
        let mut with = fake(&dir, "cat /proc/self/fd/0; exit 7");
        with.stdin = Some(File::open(&ram).unwrap());
        let text = Process::start(with)
            .unwrap()
            .ended_early()
            .await
            .to_string();
        assert!(text.contains("memory"), "{text}");
    }
}
