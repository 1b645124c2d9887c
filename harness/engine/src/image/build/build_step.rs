//! One child process of a build, with everything that it starts.

use std::{
    ffi::OsStr,
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    os::unix::process::CommandExt as _,
    process::{Command, ExitStatus, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    time::{Duration, Instant},
};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    image::{
        error::{Doing as _, ImageError},
        stop::Stop,
    },
    util::program::search_path,
};

/// Runs its arguments as the leader of a process group, with a watcher in the same group that kills the group when
/// the pipe on descriptor 0 closes. A parent-death signal would reach the leader only, not what mmdebstrap
/// started; the pipe closes however the builder ends, and the kernel ends what lives in the leader's PID namespaces.
const LEADER: &str = r#"exec 3<&0 </dev/null
(trap '' HUP INT TERM; read -r _ <&3; kill -s KILL -- "-$$") &
exec 3<&-
exec "$@""#;

/// How often a running step looks whether it should end.
const LOOK: Duration = Duration::from_millis(50);
/// How much of a log an error quotes.
const TAIL_LINES: usize = 20;

/// A program to run, its log and its limit.
#[derive(Debug)]
pub(crate) struct BuildStep {
    step: String,
    command: Command,
    log: Utf8PathBuf,
    limit: Duration,
    stop: Stop,
}

impl BuildStep {
    /// `step` is what messages call it. The log gets stdout and stderr.
    pub(crate) fn new(
        step: impl Into<String>,
        program: &str,
        log: Utf8PathBuf,
        limit: Duration,
    ) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", LEADER, "sh", program]);
        // Ordinary users have no sbin in their PATH, and mke2fs and chroot live there. The image must not depend
        // on the builder's language.
        command
            .env("PATH", search_path())
            .env("LC_ALL", "C.UTF-8")
            .env("LANG", "C.UTF-8")
            .env_remove("LANGUAGE");
        Self {
            step: step.into(),
            command,
            log,
            limit,
            stop: Stop::default(),
        }
    }

    /// Ends it once `stop` says so.
    pub(crate) fn stopped_by(mut self, stop: &Stop) -> Self {
        self.stop = stop.clone();
        self
    }

    pub(crate) fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &Utf8Path) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn dir(mut self, dir: &Utf8Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Runs it to its end, to its limit, or until it is stopped.
    pub(crate) fn run(mut self) -> Result<(), ImageError> {
        let log = File::create(&self.log).doing("create", &self.log)?;
        let errors = log.try_clone().doing("open", &self.log)?;
        self.command
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(errors)
            .process_group(0);
        let mut child = self.command.spawn().doing("run", "sh")?;
        let pipe = child.stdin.take();
        let (sender, receiver) = mpsc::channel();
        let waiter = std::thread::spawn(move || {
            let _ = sender.send(child.wait());
        });
        let begin = Instant::now();
        let ended = loop {
            match receiver.recv_timeout(LOOK) {
                Err(RecvTimeoutError::Timeout)
                    if begin.elapsed() < self.limit && !self.stop.is_raised() => {}
                ended => break ended,
            }
        };
        // Ends the group: the leader after its limit, and whatever outlived it.
        drop(pipe);
        let _ = waiter.join();
        match ended {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(self.failed(status)),
            Ok(Err(error)) => Err(error).doing("wait for", self.step.as_str()),
            Err(_) if self.stop.is_raised() => Err(ImageError::Stopped { step: self.step }),
            Err(_) => {
                let tail = self.tail();
                Err(ImageError::StepTimeout {
                    step: self.step,
                    limit: self.limit,
                    log: self.log,
                    tail,
                })
            }
        }
    }

    fn failed(self, status: ExitStatus) -> ImageError {
        let tail = self.tail();
        ImageError::Step {
            step: self.step,
            how: status.to_string(),
            log: self.log,
            tail,
        }
    }

    /// The last lines of the log, as far as it can be read.
    fn tail(&self) -> String {
        let mut bytes = Vec::new();
        if let Ok(mut file) = File::open(&self.log) {
            let length = file.metadata().map_or(0, |metadata| metadata.len());
            let _ = file.seek(SeekFrom::Start(length.saturating_sub(16 * 1024)));
            let _ = file.read_to_end(&mut bytes);
        }
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<_> = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }
}

#[cfg(test)]
#[path = "build_step_tests.rs"]
mod tests;
