//! One command: its streams, its end.

use std::{
    fs::File,
    io::{self, Read, Seek, Write},
    os::{fd::AsFd, unix::process::ExitStatusExt},
    process::{Child, Command, ExitStatus, Stdio},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    process::{Pid, WaitId, WaitIdOptions, waitid},
};
use serde::Deserialize;
use serde_json::{Value, json};

/// At most this much of a stream is kept, as with qemu-ga; the rest is read and dropped.
const LIMIT: usize = 16 << 20;

/// What `spawnlab-run` takes; but for the token, names and meanings are those of `guest-exec`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Wanted {
    path: String,
    #[serde(default)]
    arg: Vec<String>,
    #[serde(default)]
    env: Vec<String>,
    #[serde(default)]
    input_data: String,
    /// By which `spawnlab-kill` finds it.
    pub(crate) token: u64,
}

/// Starts the command.
///
/// # Errors
/// When its input is no base64, or it can't be started.
pub(crate) fn start(wanted: &Wanted) -> io::Result<Child> {
    let mut command = Command::new(&wanted.path);
    command.args(&wanted.arg).env_clear();
    for variable in &wanted.env {
        if let Some((name, value)) = variable.split_once('=') {
            command.env(name, value);
        }
    }
    command.stdin(input(&wanted.input_data)?);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn()
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

/// Waits until the command has ended and nobody holds its output streams any more; `let_go` is
/// called when it has ended and before its number is free for another process.
///
/// # Errors
/// When a stream can't be read.
pub(crate) fn finish(child: &mut Child, let_go: impl FnOnce()) -> io::Result<Value> {
    let drained = drain(child);
    if let Some(pid) = pid(child) {
        // Signals interrupt it; whatever else goes wrong, the wait below reports.
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while matches!(waitid(WaitId::Pid(pid), ended), Err(Errno::INTR)) {}
    }
    let_go();
    let status = child.wait()?;
    let (out, err) = drained?;
    Ok(told(status, &out, &err))
}

/// The number of a process that was not waited for yet.
pub(crate) fn pid(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    truncated: bool,
}

impl Kept {
    fn add(&mut self, bytes: &[u8]) {
        let room = LIMIT - self.bytes.len();
        self.truncated |= bytes.len() > room;
        self.bytes.extend(&bytes[..bytes.len().min(room)]);
    }
}

fn drain(child: &mut Child) -> io::Result<(Kept, Kept)> {
    let (mut out, mut err) = (Kept::default(), Kept::default());
    let (Some(mut stdout), Some(mut stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Ok((out, err));
    };
    let mut buffer = [0; 16384];
    let (mut out_open, mut err_open) = (true, true);
    while out_open || err_open {
        let (mut out_ready, mut err_ready) = (out_open, err_open);
        if out_open && err_open {
            let (one, two) = (stdout.as_fd(), stderr.as_fd());
            let mut fds = [
                PollFd::new(&one, PollFlags::IN),
                PollFd::new(&two, PollFlags::IN),
            ];
            poll(&mut fds, None)?;
            (out_ready, err_ready) = (!fds[0].revents().is_empty(), !fds[1].revents().is_empty());
        }
        if out_ready {
            let count = stdout.read(&mut buffer)?;
            out.add(&buffer[..count]);
            out_open = count > 0;
        }
        if err_ready {
            let count = stderr.read(&mut buffer)?;
            err.add(&buffer[..count]);
            err_open = count > 0;
        }
    }
    Ok((out, err))
}

/// The answer, shaped like that to `guest-exec-status`.
fn told(status: ExitStatus, out: &Kept, err: &Kept) -> Value {
    let mut answer = json!({
        "exited": true,
        "out-data": STANDARD.encode(&out.bytes),
        "err-data": STANDARD.encode(&err.bytes),
        "out-truncated": out.truncated,
        "err-truncated": err.truncated,
    });
    if let Some(code) = status.code() {
        answer["exitcode"] = code.into();
    }
    if let Some(signal) = status.signal() {
        answer["signal"] = signal.into();
    }
    answer
}
