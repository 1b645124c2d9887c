//! One command: its streams, its end.

use std::{
    fs::File,
    io::{self, Seek, Write},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use serde::{Deserialize, Serialize};

use crate::stream::{self, Gap, Stream};

/// A command that has ended is waited for as long as its streams are held open by what it left running, and
/// something still comes; this long after the last byte it is over.
const QUIET: Duration = Duration::from_secs(1);

/// What `spawnlab-run` takes; but for the token, names and meanings are those of `guest-exec`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Wanted {
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) arg: Vec<String>,
    #[serde(default)]
    pub(crate) env: Vec<String>,
    #[serde(default)]
    pub(crate) input_data: String,
    /// By which `spawnlab-kill` finds it.
    pub(crate) token: u64,
}

/// The answer, shaped like that to `guest-exec-status`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Told {
    exited: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    exitcode: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<i32>,
    out_data: String,
    err_data: String,
    /// Where in `out-data` something was cut, and how much; absent if nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    out_cut: Option<Gap>,
    #[serde(skip_serializing_if = "Option::is_none")]
    err_cut: Option<Gap>,
    /// Processes that hold a stream open although the command has ended, as `NAME[PID]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    held_by: Vec<String>,
}

/// Starts `path` in a process group of its own, so that it can be ended with all that it started.
///
/// # Errors
/// When it can't be started.
pub(crate) fn spawn(
    path: &str,
    arg: &[String],
    env: &[String],
    stdin: impl Into<Stdio>,
) -> io::Result<Child> {
    let mut command = Command::new(path);
    command.args(arg).env_clear().process_group(0);
    for variable in env {
        if let Some((name, value)) = variable.split_once('=') {
            command.env(name, value);
        }
    }
    command.stdin(stdin);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn()
}

/// Starts the command.
///
/// # Errors
/// When its input is no base64, or it can't be started.
pub(crate) fn start(wanted: &Wanted) -> io::Result<Child> {
    let stdin = input(&wanted.input_data)?;
    spawn(&wanted.path, &wanted.arg, &wanted.env, stdin)
}

/// The input as a file: a command that does not read it must not hold anybody up.
fn input(data: &str) -> io::Result<Stdio> {
    if data.is_empty() {
        return Ok(Stdio::null());
    }
    let bytes = STANDARD.decode(data).map_err(io::Error::other)?;
    let memory = rustix::fs::memfd_create("input", rustix::fs::MemfdFlags::CLOEXEC)?;
    let mut file = File::from(memory);
    file.write_all(&bytes)?;
    file.rewind()?;
    Ok(Stdio::from(file))
}

/// A command that was started.
#[derive(Debug)]
pub(crate) struct Running {
    /// The request that it answers.
    pub(crate) id: Option<u64>,
    /// The name under which it can be killed.
    pub(crate) token: u64,
    child: Child,
    out: Stream,
    err: Stream,
    // Readable once the process has ended; gone once that was seen.
    alive: Option<OwnedFd>,
    // When the process was seen to have ended, or something came after that.
    last: Option<Instant>,
}

impl Running {
    /// Takes charge of `child`, which answers the request `id`.
    pub(crate) fn new(id: Option<u64>, token: u64, mut child: Child) -> Self {
        let alive = pid(&child).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        Self {
            id,
            token,
            out: Stream::new(child.stdout.take().map(OwnedFd::from)),
            err: Stream::new(child.stderr.take().map(OwnedFd::from)),
            child,
            alive,
            last: None,
        }
    }

    /// What to wait for: output, more output, the end.
    pub(crate) fn events(&self) -> [Option<BorrowedFd<'_>>; 3] {
        [
            self.out.events(),
            self.err.events(),
            self.alive.as_ref().map(AsFd::as_fd),
        ]
    }

    /// Takes what has come of the three.
    pub(crate) fn take(&mut self, ready: [bool; 3], buffer: &mut [u8]) {
        if ready[0] {
            self.out.read(buffer);
        }
        if ready[1] {
            self.err.read(buffer);
        }
        if ready[2] {
            self.alive = None;
        }
        if self.alive.is_none() && (self.last.is_none() || ready.contains(&true)) {
            self.last = Some(Instant::now());
        }
    }

    /// How long it is still to be waited for if nothing comes: zero once it [`Self::is_over`], none as long as its
    /// process runs.
    pub(crate) fn left(&self) -> Option<Duration> {
        if self.events().iter().all(Option::is_none) {
            return Some(Duration::ZERO);
        }
        Some(QUIET.saturating_sub(self.last?.elapsed()))
    }

    /// Whether it has ended, and its streams have, too, or are held open by something that says nothing.
    pub(crate) fn is_over(&self) -> bool {
        self.left() == Some(Duration::ZERO)
    }

    /// What it came to, and those of its streams that something still writes to; to be called when it
    /// [`Self::is_over`].
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub(crate) fn told(mut self) -> io::Result<(Told, [Stream; 2])> {
        let status = self.child.wait()?;
        let (out, out_cut) = self.out.kept();
        let (err, err_cut) = self.err.kept();
        let told = Told {
            exited: true,
            exitcode: status.code(),
            signal: status.signal(),
            out_data: STANDARD.encode(out),
            err_data: STANDARD.encode(err),
            out_cut,
            err_cut,
            held_by: stream::holders([&self.out, &self.err]),
        };
        Ok((told, [self.out, self.err]))
    }

    /// Ends it and what it has started.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(crate) fn kill(&self) -> io::Result<()> {
        // Not waited for yet, so the number is still its own.
        match pid(&self.child) {
            Some(pid) => Ok(kill_process_group(pid, Signal::KILL)?),
            None => Ok(()),
        }
    }
}

fn pid(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}
