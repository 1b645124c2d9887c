//! Runs processes and waits for what happens to them: lines, ends, signals to the tool, and deadlines, in one queue.
//!
//! Every process is the leader of a group of its own, so that stopping it stops what it started, and a Ctrl-C in the
//! terminal reaches this tool alone, which then ends them in order.

use crate::command::CommandLine;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};
use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long a process may take to end after SIGTERM, before SIGKILL.
const TERM_GRACE: Duration = Duration::from_secs(3);
/// How long output is read after a process ended: something it left behind may hold the pipe open.
const DRAIN: Duration = Duration::from_secs(1);

/// Names a process of one engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProcessId(usize);

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Err,
}

/// Something that happened to a process.
#[derive(Debug)]
pub(crate) enum Happening {
    /// It wrote a line.
    Line {
        process: ProcessId,
        stream: Stream,
        text: String,
    },
    /// It ended, and everything that it wrote was delivered before.
    Exited {
        process: ProcessId,
        status: ExitStatus,
    },
}

/// The tool was asked to stop by this signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interrupted(pub(crate) i32);

#[derive(Debug)]
enum Event {
    Line {
        process: ProcessId,
        stream: Stream,
        text: String,
    },
    Closed {
        process: ProcessId,
    },
    Exited {
        process: ProcessId,
    },
    Signal(i32),
}

#[derive(Debug)]
struct Process {
    child: Child,
    /// Held open on purpose: its end tells the other side that this tool is gone.
    input: Option<ChildStdin>,
    open_streams: u8,
    exited_at: Option<Instant>,
    finished: bool,
}

/// All processes of one run.
#[derive(Debug)]
pub(crate) struct Engine {
    sender: Sender<Event>,
    events: Receiver<Event>,
    backlog: VecDeque<Event>,
    processes: Vec<Process>,
    signals: Handle,
}

impl Engine {
    /// Starts listening for SIGINT, SIGTERM and SIGHUP.
    pub(crate) fn new() -> io::Result<Self> {
        let (sender, events) = channel();
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        let handle = signals.handle();
        let queue = sender.clone();
        thread::spawn(move || {
            for signal in signals.forever() {
                if queue.send(Event::Signal(signal)).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            sender,
            events,
            backlog: VecDeque::new(),
            processes: Vec::new(),
            signals: handle,
        })
    }

    /// Starts a process. With `input` it gets that text, and its standard input stays open until the process is
    /// stopped; without, it has none.
    pub(crate) fn spawn(
        &mut self,
        command: &CommandLine,
        input: Option<&str>,
    ) -> io::Result<ProcessId> {
        let mut child = command
            .to_process()
            .stdin(if input.is_some() {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let process = ProcessId(self.processes.len());
        let mut open_streams = 0;
        if let Some(output) = child.stdout.take() {
            open_streams += 1;
            self.read_lines(process, Stream::Out, output);
        }
        if let Some(errors) = child.stderr.take() {
            open_streams += 1;
            self.read_lines(process, Stream::Err, errors);
        }
        let mut pipe = child.stdin.take();
        if let (Some(pipe), Some(text)) = (&mut pipe, input) {
            // A process that is gone already can't be written to; how it ended says more than this error.
            let _ = pipe.write_all(text.as_bytes()).and_then(|()| pipe.flush());
        }
        self.watch_exit(process, group(&child));
        self.processes.push(Process {
            child,
            input: pipe,
            open_streams,
            exited_at: None,
            finished: false,
        });
        Ok(process)
    }

    /// Waits for the next thing that happens, until `deadline`: `None` when that passed first.
    pub(crate) fn next(&mut self, deadline: Instant) -> Result<Option<Happening>, Interrupted> {
        loop {
            if let Some(happening) = self.take_finished() {
                return Ok(Some(happening));
            }
            let event = match self.backlog.pop_front() {
                Some(event) => event,
                None => match self.receive(self.wake_at(deadline)) {
                    Some(event) => event,
                    None if Instant::now() >= deadline => return Ok(None),
                    None => continue,
                },
            };
            match event {
                Event::Line {
                    process,
                    stream,
                    text,
                } => {
                    return Ok(Some(Happening::Line {
                        process,
                        stream,
                        text,
                    }));
                }
                Event::Signal(signal) => return Err(Interrupted(signal)),
                other => self.note(&other),
            }
        }
    }

    /// Sends `text` to a process that was started with an input.
    pub(crate) fn write(&mut self, process: ProcessId, text: &str) {
        if let Some(pipe) = &mut self.processes[process.0].input {
            // As at the start: how a process ended says more than this error.
            let _ = pipe.write_all(text.as_bytes()).and_then(|()| pipe.flush());
        }
    }

    /// Tells a process that nothing more will come.
    pub(crate) fn close_input(&mut self, process: ProcessId) {
        self.processes[process.0].input = None;
    }

    /// Ends a process and all that it started: SIGTERM, and after a while SIGKILL.
    pub(crate) fn stop(&mut self, process: ProcessId) {
        self.signal(process, Signal::TERM);
        self.close_input(process);
        let deadline = Instant::now() + TERM_GRACE;
        while self.processes[process.0].exited_at.is_none() {
            match self.receive(deadline) {
                Some(event @ (Event::Exited { .. } | Event::Closed { .. })) => self.note(&event),
                Some(event) => self.backlog.push_back(event),
                None if Instant::now() >= deadline => break,
                None => {}
            }
        }
        // The leader may be gone and others of its group not.
        self.signal(process, Signal::KILL);
        let stopped = &mut self.processes[process.0];
        stopped.finished = true;
        let _ = stopped.child.wait();
    }

    /// When to look again at the latest: at `deadline`, or when a process that ended has been drained long enough.
    fn wake_at(&self, deadline: Instant) -> Instant {
        let draining = self.processes.iter().filter(|process| !process.finished);
        draining
            .filter_map(|process| process.exited_at)
            .map(|at| at + DRAIN)
            .fold(deadline, Instant::min)
    }

    fn receive(&self, until: Instant) -> Option<Event> {
        self.events
            .recv_timeout(until.saturating_duration_since(Instant::now()))
            .ok()
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::Closed { process } => self.processes[process.0].open_streams -= 1,
            Event::Exited { process } => self.processes[process.0].exited_at = Some(Instant::now()),
            Event::Line { .. } | Event::Signal(_) => {}
        }
    }

    fn take_finished(&mut self) -> Option<Happening> {
        for (index, process) in self.processes.iter_mut().enumerate() {
            let Some(exited_at) = process.exited_at else {
                continue;
            };
            if process.finished || (process.open_streams > 0 && exited_at.elapsed() < DRAIN) {
                continue;
            }
            process.finished = true;
            if let Ok(status) = process.child.wait() {
                return Some(Happening::Exited {
                    process: ProcessId(index),
                    status,
                });
            }
        }
        None
    }

    fn signal(&self, process: ProcessId, signal: Signal) {
        let process = &self.processes[process.0];
        // Until it is waited for, its number belongs to nobody else.
        if let (false, Some(group)) = (process.finished, group(&process.child)) {
            let _ = kill_process_group(group, signal);
        }
    }

    fn read_lines(&self, process: ProcessId, stream: Stream, from: impl Read + Send + 'static) {
        let queue = self.sender.clone();
        thread::spawn(move || {
            let mut reader = BufReader::new(from);
            let mut line = Vec::new();
            while reader
                .read_until(b'\n', &mut line)
                .is_ok_and(|length| length > 0)
            {
                let text = String::from_utf8_lossy(&line)
                    .trim_end_matches(['\n', '\r'])
                    .to_owned();
                line.clear();
                if queue
                    .send(Event::Line {
                        process,
                        stream,
                        text,
                    })
                    .is_err()
                {
                    return;
                }
            }
            let _ = queue.send(Event::Closed { process });
        });
    }

    fn watch_exit(&self, process: ProcessId, group: Option<Pid>) {
        let queue = self.sender.clone();
        thread::spawn(move || {
            if let Some(pid) = group {
                // The child stays to be waited for, so that a signal can't reach a stranger with the same number.
                let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
                while matches!(
                    waitid(WaitId::Pid(pid), options),
                    Err(rustix::io::Errno::INTR)
                ) {}
            }
            let _ = queue.send(Event::Exited { process });
        });
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.signals.close();
        for index in (0..self.processes.len()).rev() {
            if !self.processes[index].finished {
                self.stop(ProcessId(index));
            }
        }
    }
}

fn group(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}
