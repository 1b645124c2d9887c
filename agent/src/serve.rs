//! The protocol: a JSON object a line, `{"execute": COMMAND, "arguments": {...}, "id": ID}`, and as
//! answer `{"return": ..., "id": ID}` or `{"error": {"class": ..., "desc": ...}, "id": ID}`.
//!
//! | command | arguments | answer |
//! | --- | --- | --- |
//! | `guest-sync-delimited` | `id` | that id, behind a byte 0xFF |
//! | `spawnlab-run` | `path`, `arg`, `env`, `input-data` (base64), `token`, a number | `exitcode` or `signal`, `out-data`, `err-data` (base64), once the command has ended and its streams are closed |
//! | `spawnlab-kill` | the `token` of a `spawnlab-run` | whether it still ran |
//! | `spawnlab-resumed` | `seconds`, `nanoseconds` of the Unix time; `nonce`, a path | the clock is set; the file's content |

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufRead, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustix::{
    process::{Pid, Signal, kill_process},
    time::{ClockId, Timespec, clock_settime},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::capture::{self, Wanted};

/// A line longer than this is no request: base64 of 16 MiB of input, and then some.
const LONGEST: u64 = 32 << 20;

#[derive(Debug, Deserialize)]
struct Request {
    execute: String,
    #[serde(default)]
    arguments: Value,
    id: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Resumed {
    seconds: i64,
    nanoseconds: i64,
    nonce: String,
}

/// Where answers go, and what runs.
pub(crate) struct Answers<W = File> {
    out: Mutex<W>,
    running: Mutex<HashMap<u64, Pid>>,
}

type Refusal = (&'static str, String);

fn generic(error: impl std::fmt::Display) -> Refusal {
    ("GenericError", error.to_string())
}

impl<W: Write + Send + 'static> Answers<W> {
    pub(crate) fn new(out: W) -> Self {
        Self {
            out: Mutex::new(out),
            running: Mutex::default(),
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<u64, Pid>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, prefix: &[u8], id: Option<u64>, answer: Result<Value, Refusal>) {
        let mut message = match answer {
            Ok(value) => json!({ "return": value }),
            Err((class, desc)) => json!({ "error": { "class": class, "desc": desc } }),
        };
        if let Some(id) = id {
            message["id"] = id.into();
        }
        let mut line = prefix.to_vec();
        line.extend(message.to_string().as_bytes());
        line.push(b'\n');
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody may be at the other end any more: then there is nobody to tell either.
        let _ = out.write_all(&line).and_then(|()| out.flush());
    }

    fn run(&self, arguments: Value) -> Result<Value, Refusal> {
        let wanted: Wanted = serde_json::from_value(arguments).map_err(generic)?;
        let mut child = capture::start(&wanted).map_err(generic)?;
        if let Some(pid) = capture::pid(&child) {
            self.running().insert(wanted.token, pid);
        }
        let let_go = || {
            self.running().remove(&wanted.token);
        };
        capture::finish(&mut child, let_go).map_err(generic)
    }

    fn kill(&self, arguments: &Value) -> Result<Value, Refusal> {
        let token = arguments["token"]
            .as_u64()
            .ok_or_else(|| generic("token must be a number"))?;
        // The lock is held, so the process is not yet reaped and the number is still its own.
        match self.running().get(&token) {
            Some(pid) => kill_process(*pid, Signal::KILL)
                .map(|()| true.into())
                .map_err(generic),
            None => Ok(false.into()),
        }
    }
}

/// Serves requests until `reader` ends. Commands run at the same time, each on a thread of its own.
///
/// # Errors
/// When the port can't be read.
pub(crate) fn serve<R: BufRead, W: Write + Send + 'static>(
    mut reader: R,
    answers: Arc<Answers<W>>,
) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if io::Read::take(&mut reader, LONGEST).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        // 0xFF marks a fresh start: what stands before it is half of something.
        let fresh = line
            .iter()
            .rposition(|byte| *byte == 0xff)
            .map_or(0, |at| at + 1);
        match serde_json::from_slice::<Request>(&line[fresh..]) {
            Ok(request) => take(request, &answers),
            Err(error) => answers.send(b"", None, Err(generic(error))),
        }
    }
}

fn take<W: Write + Send + 'static>(request: Request, answers: &Arc<Answers<W>>) {
    let Request {
        execute,
        arguments,
        id,
    } = request;
    match (execute.as_str(), id) {
        ("guest-sync-delimited", _) => answers.send(&[0xff], id, Ok(arguments["id"].clone())),
        ("spawnlab-resumed", _) => answers.send(b"", id, resumed(arguments)),
        ("spawnlab-kill", _) => answers.send(b"", id, answers.kill(&arguments)),
        ("spawnlab-run", _) => {
            let own = Arc::clone(answers);
            let run = move || own.send(b"", id, own.run(arguments));
            if let Err(error) = std::thread::Builder::new().spawn(run) {
                answers.send(b"", id, Err(generic(error)));
            }
        }
        _ => {
            let desc = format!("the command {execute} has not been found");
            answers.send(b"", id, Err(("CommandNotFound", desc)));
        }
    }
}

fn resumed(arguments: Value) -> Result<Value, Refusal> {
    let wanted: Resumed = serde_json::from_value(arguments).map_err(generic)?;
    let now = Timespec {
        tv_sec: wanted.seconds,
        tv_nsec: wanted.nanoseconds,
    };
    clock_settime(ClockId::Realtime, now).map_err(generic)?;
    let nonce = std::fs::read_to_string(&wanted.nonce);
    nonce.map(Value::from).map_err(generic)
}

#[cfg(test)]
#[path = "serve_tests.rs"]
mod tests;
