//! Serving a port: requests come in, commands run side by side, answers go out.
//!
//! | command | arguments | answer |
//! | --- | --- | --- |
//! | `guest-sync-delimited` | `id` | that id, behind a byte 0xFF |
//! | `spawnlab-run` | `path`, `arg`, `env`, `input-data` (base64), `token`, a number | `exitcode` or `signal`, `out-data`, `err-data` (base64), once the command has ended and its streams are closed, or held open by something that is silent (`held-by`); `out-cut`, `err-cut` where a stream was too long |
//! | `spawnlab-kill` | the `token` of a `spawnlab-run` | whether it still ran; what it had started ends with it |
//! | `spawnlab-resumed` | `seconds`, `nanoseconds` of the Unix time; `seed`, base64; `nonce`, a path | random numbers start anew from the seed, the clock is set; the file's content |

use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::{AsFd, BorrowedFd},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    time::{ClockId, clock_settime},
};
use serde::{Deserialize, Serialize};

use crate::{
    random,
    ready::{Ready, WaitingShell},
    run::{self, Running, Wanted},
    stream::Stream,
    wire::{self, GuestRequest, Refusal, generic},
};

/// A line longer than this is no request: base64 of 16 MiB of input, and then some.
const LONGEST: usize = 32 << 20;
/// How often a port that nobody is connected to is looked at: it hangs up all the time until the lab
/// comes back.
const PAUSE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};

#[derive(Debug, Deserialize)]
struct Synced {
    id: u64,
}

#[derive(Debug, Deserialize)]
struct Killed {
    token: u64,
}

#[derive(Debug, Deserialize)]
struct Resumed {
    seconds: i64,
    nanoseconds: i64,
    seed: String,
    nonce: String,
}

/// A port, what came in through it, and what runs because of it.
#[derive(Debug)]
pub(crate) struct Server {
    port: File,
    line: Vec<u8>,
    buffer: Vec<u8>,
    running: Vec<Running>,
    // Streams of commands that are over, held open by what these left running. They are read, since who writes to
    // a pipe that nobody reads is stopped, and to one that is closed is ended.
    orphans: Vec<Stream>,
    ready: Option<Ready>,
    // What the last command was run by: the next one will be run by the same.
    shell: Option<WaitingShell>,
    // Nobody is connected to the port's other end.
    alone: bool,
}

impl Server {
    /// Serves `port`, a virtio port or a socket.
    pub(crate) fn new(port: File) -> Self {
        Self {
            port,
            line: Vec::new(),
            buffer: vec![0; 16384],
            running: Vec::new(),
            orphans: Vec::new(),
            ready: None,
            shell: None,
            alone: false,
        }
    }

    /// Serves for ever: an end of a virtio port is the lab's, which may come back.
    ///
    /// # Errors
    /// When the port can't be read.
    pub(crate) fn serve(mut self) -> io::Result<()> {
        loop {
            self.step()?;
        }
    }

    /// Waits for something to happen, and deals with it.
    fn step(&mut self) -> io::Result<()> {
        let idle = self.running.is_empty() && self.ready.is_none();
        let next = self.shell.take_if(|_| idle);
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let left = self.running.iter().filter_map(Running::left).min();
        let left = left.map(|left| Timespec::try_from(left).unwrap_or(PAUSE));
        let limit = match (&next, self.alone) {
            (Some(_), _) => Some(&now),
            (None, true) => Some(&PAUSE),
            (None, false) => left.as_ref(),
        };
        let happened = self.poll(limit)?;
        let quiet = happened.iter().all(|happened| !happened);
        if let Some(shell) = next {
            if quiet {
                // Without it the next command is started when it comes.
                self.ready = shell.start().ok();
                return Ok(());
            }
            self.shell = Some(shell);
        }
        self.alone &= !quiet;
        let (of_running, of_orphans) = happened[1..].split_at(3 * self.running.len());
        for (running, ready) in self.running.iter_mut().zip(of_running.chunks(3)) {
            running.take([ready[0], ready[1], ready[2]], &mut self.buffer);
        }
        for (orphan, _) in self.orphans.iter_mut().zip(of_orphans).filter(|it| *it.1) {
            orphan.drain(&mut self.buffer);
        }
        self.orphans.retain(|orphan| orphan.events().is_some());
        self.end_what_is_over();
        if happened[0] {
            self.read()?;
        }
        Ok(())
    }

    /// What of the port and of each command's three events has come within `limit`.
    fn poll(&self, limit: Option<&Timespec>) -> io::Result<Vec<bool>> {
        let mut wanted: Vec<Option<BorrowedFd<'_>>> =
            vec![(!self.alone).then(|| self.port.as_fd())];
        wanted.extend(self.running.iter().flat_map(Running::events));
        wanted.extend(self.orphans.iter().map(Stream::events));
        let mut fds: Vec<PollFd<'_>> = wanted
            .iter()
            .flatten()
            .map(|fd| PollFd::new(fd, PollFlags::IN))
            .collect();
        match poll(&mut fds, limit) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(vec![false; wanted.len()]),
            Err(error) => return Err(error.into()),
        }
        let mut happened = fds.iter().map(|fd| !fd.revents().is_empty());
        Ok(wanted
            .iter()
            .map(|fd| fd.is_some() && happened.next().unwrap_or(false))
            .collect())
    }

    fn end_what_is_over(&mut self) {
        let mut at = 0;
        while at < self.running.len() {
            if self.running[at].is_over() {
                let over = self.running.remove(at);
                let id = over.id;
                let told = over.told().map(|(told, streams)| {
                    let open = streams.into_iter().filter(|it| it.events().is_some());
                    self.orphans.extend(open);
                    told
                });
                self.send(&wire::line(id, told.map_err(generic)));
            } else {
                at += 1;
            }
        }
    }

    fn read(&mut self) -> io::Result<()> {
        let count = match self.port.read(&mut self.buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        };
        self.alone = count == 0;
        let mut from = self.line.len();
        self.line.extend(&self.buffer[..count]);
        while let Some(length) = self.line[from..].iter().position(|byte| *byte == b'\n') {
            let rest = self.line.split_off(from + length + 1);
            let line = std::mem::replace(&mut self.line, rest);
            self.take(&line);
            from = 0;
        }
        if self.line.len() > LONGEST {
            self.line.clear();
            self.refuse(None, generic("a line of more than 32 MiB is no request"));
        }
        Ok(())
    }

    fn take(&mut self, line: &[u8]) {
        // 0xFF marks a fresh start: what stands before it is half of something.
        let fresh = line
            .iter()
            .rposition(|byte| *byte == 0xff)
            .map_or(0, |at| at + 1);
        let request: GuestRequest<'_> = match serde_json::from_slice(&line[fresh..]) {
            Ok(request) => request,
            Err(error) => return self.refuse(None, generic(error)),
        };
        let id = request.id;
        match &*request.execute {
            "spawnlab-run" => match request.arguments().and_then(|wanted| self.run(id, &wanted)) {
                Ok(running) => self.running.push(running),
                Err(refusal) => self.refuse(id, refusal),
            },
            "spawnlab-resumed" => self.answer(id, request.arguments().and_then(|it| resumed(&it))),
            "spawnlab-kill" => {
                let killed = request.arguments().and_then(|it| self.kill(&it));
                self.answer(id, killed);
            }
            "guest-sync-delimited" => {
                self.send(&[0xff]);
                let synced = request.arguments().map(|synced: Synced| synced.id);
                self.answer(id, synced);
            }
            other => self.refuse(id, wire::unknown(other)),
        }
    }

    fn run(&mut self, id: Option<u64>, wanted: &Wanted) -> Result<Running, Refusal> {
        let waiting = WaitingShell::of(wanted).and_then(|(shell, script)| {
            let child = self
                .ready
                .take()
                .and_then(|ready| ready.run(&shell, script));
            self.shell = Some(shell);
            child
        });
        let child = match waiting {
            Some(child) => child,
            None => run::start(wanted).map_err(generic)?,
        };
        Ok(Running::new(id, wanted.token, child))
    }

    fn kill(&self, killed: &Killed) -> Result<bool, Refusal> {
        let running = self.running.iter().find(|it| it.token == killed.token);
        let Some(running) = running else {
            return Ok(false);
        };
        running.kill().map(|()| true).map_err(generic)
    }

    fn refuse(&mut self, id: Option<u64>, refusal: Refusal) {
        self.answer::<()>(id, Err(refusal));
    }

    fn answer<T: Serialize>(&mut self, id: Option<u64>, answer: Result<T, Refusal>) {
        self.send(&wire::line(id, answer));
    }

    fn send(&mut self, bytes: &[u8]) {
        // Nobody may be at the other end any more: then there is nobody to tell either.
        let _ = self.port.write_all(bytes);
    }
}

fn resumed(wanted: &Resumed) -> Result<String, Refusal> {
    let nonce = std::fs::read_to_string(&wanted.nonce).map_err(generic)?;
    let seed = STANDARD.decode(&wanted.seed).map_err(generic)?;
    random::reseed(&seed).map_err(generic)?;
    // Last, since it wakes whoever waits for the clock to change.
    let now = Timespec {
        tv_sec: wanted.seconds,
        tv_nsec: wanted.nanoseconds,
    };
    clock_settime(ClockId::Realtime, now).map_err(generic)?;
    Ok(nonce)
}

#[cfg(test)]
#[path = "serve_tests.rs"]
mod tests;
