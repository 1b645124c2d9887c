//! The two places where a deploy runs commands: this machine, and the host behind one ssh connection.

use crate::cli::Request;
use crate::command::CommandLine;
use crate::engine::{Engine, Happening, Interrupted, ProcessId, Stream};
use crate::failure::{Cause, Failure};
use crate::names::Container;
use crate::output;
use crate::remote::host::Host;
use crate::remote::script;
use crate::remote::switch::{Meaning, Record};
use crate::ssh::Ssh;
use crate::step::Step;
use std::time::{Duration, Instant};

/// Limits of steps on the host are kept there; this much later the tool stops listening.
const GRACE: Duration = Duration::from_secs(30);

/// How long a tool that is about to end waits for the host to say what became of a build, or of what it kept.
const FAREWELL: Duration = Duration::from_secs(5);

/// A connection and the processes around it. Fields are dropped in this order: processes before the folder of their
/// socket.
pub(crate) struct Session<'a> {
    request: &'a Request,
    engine: Engine,
    ssh: Ssh,
    nonce: String,
    /// The session that carries the connection, once it is started.
    master: Option<ProcessId>,
    master_said: Vec<String>,
    connected_by: Instant,
    /// When the host is told next that the tool is there.
    next_sign: Instant,
    host: Host,
}

/// What a command here printed.
pub(crate) struct Printed {
    pub(crate) out: Vec<String>,
    pub(crate) err: Vec<String>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(request: &'a Request, engine: Engine, ssh: Ssh, nonce: String) -> Self {
        Self {
            request,
            engine,
            ssh,
            nonce,
            master: None,
            master_said: Vec::new(),
            connected_by: Instant::now(),
            next_sign: Instant::now(),
            host: Host::default(),
        }
    }

    /// Opens the connection and asks for the state of the host. The answer arrives while other commands run, and a
    /// host that refuses or can't be reached ends them.
    pub(crate) fn connect(&mut self) -> Result<(), Failure> {
        let target = self.request.target.to_string();
        let command = self.ssh.master();
        let script = script::check(
            &self.nonce,
            &self.containers(),
            self.request.dry_run,
            &self.request.limits,
        );
        self.master = Some(self.spawn(Step::Connect, &target, &command, Some(&script))?);
        self.connected_by = Instant::now() + self.request.limits.connect;
        Ok(())
    }

    /// Has the host keep these derivations from its garbage collection until the connection ends. It may be asked before
    /// they are there.
    pub(crate) fn keep(&mut self, derivations: &[(&Container, &String)]) -> Result<(), Failure> {
        let Some(master) = self.master else {
            return Ok(());
        };
        for (container, derivation) in derivations {
            self.engine
                .write(master, &format!("{container} {derivation}\n"));
        }
        let limit = self.request.limits.connect;
        let deadline = Instant::now() + limit;
        while self.host.kept < derivations.len() {
            match self.pump(Step::Connect, deadline)? {
                None => return Err(self.no_connection(Cause::TimedOut(limit))),
                Some(Happening::Exited { process, status }) if process == master => {
                    return Err(self.no_connection(status.into()));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Tells the host that what was [kept](Self::keep) is built, on disk and in a profile. A host that does not answer
    /// notices later, by the end of the connection.
    pub(crate) fn keep_no_longer(&mut self) {
        let Some(master) = self.master else {
            return;
        };
        self.engine.write(master, "\n");
        let deadline = Instant::now() + FAREWELL;
        while !self.host.released {
            match self.pump(Step::Connect, deadline) {
                Ok(Some(Happening::Exited { process, .. })) if process == master => return,
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// Waits for the state of the host, and judges whether it can take the deploy.
    pub(crate) fn await_host(&mut self) -> Result<(), Failure> {
        while !self.host.complete {
            if self.pump(Step::Connect, self.connected_by)?.is_none() {
                return Err(self.no_connection(Cause::TimedOut(self.request.limits.connect)));
            }
        }
        self.host.accepts(&self.request.target, &self.containers())
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    pub(crate) fn nonce(&self) -> &str {
        &self.nonce
    }

    /// Options with which another ssh shares the connection.
    pub(crate) fn ssh_options(&self) -> Vec<String> {
        self.ssh.options()
    }

    /// Options with which another ssh has a connection of its own.
    pub(crate) fn ssh_options_alone(&self) -> Vec<String> {
        self.ssh.options_alone()
    }

    /// Runs a command here, within the limit of `step`.
    pub(crate) fn run_here(
        &mut self,
        step: Step,
        subject: &str,
        command: &CommandLine,
    ) -> Result<Printed, Failure> {
        let limit = self.request.limits.of(step);
        let started = self.spawn(step, subject, command, None)?;
        let deadline = Instant::now() + limit;
        let (mut out, mut err) = (Vec::new(), Vec::new());
        loop {
            match self.pump(step, deadline)? {
                None => {
                    self.engine.stop(started);
                    return Err(Failure::early(step, subject, Cause::TimedOut(limit), err));
                }
                Some(Happening::Line {
                    process,
                    stream,
                    text,
                }) if process == started => match stream {
                    Stream::Out => out.push(text),
                    Stream::Err => {
                        output::line(&text);
                        err.push(text);
                    }
                },
                Some(Happening::Exited { process, status }) if process == started => {
                    return if status.success() {
                        Ok(Printed { out, err })
                    } else {
                        Err(Failure::early(step, subject, status.into(), err))
                    };
                }
                Some(_) => {}
            }
        }
    }

    /// Lets the host run `script` and listens until it ends. Its steps keep their limits there; here is only the
    /// guard against a host that says nothing any more.
    pub(crate) fn run_there(
        &mut self,
        container: &Container,
        subject: &str,
        script: &str,
    ) -> Result<Record, Failure> {
        let command = self.ssh.shell();
        let mut record = Record::default();
        let session = self.spawn(Step::Connect, subject, &command, Some(script))?;
        let mut limit = self.request.limits.connect;
        let mut deadline = Instant::now() + limit + GRACE;
        let mut interrupted = None;
        loop {
            let step = record.step.unwrap_or(Step::Connect);
            if let (Some(signal), true) = (interrupted, record.is_switching() || record.complete) {
                return Err(record.left(signal, container));
            }
            let happening = match self.pump(step, deadline) {
                Err(Failure::Interrupted { signal, .. }) if interrupted.is_none() => {
                    // The host gives a build up, and says so. Only then is it known that nothing was changed.
                    interrupted = Some(signal);
                    self.engine.close_input(session);
                    deadline = Instant::now() + FAREWELL;
                    continue;
                }
                other => other?,
            };
            match happening {
                None => {
                    self.engine.stop(session);
                    return Err(match interrupted {
                        Some(signal) => record.left(signal, container),
                        None => record.abandoned(container, subject, Cause::TimedOut(limit)),
                    });
                }
                Some(Happening::Line {
                    process,
                    stream,
                    text,
                }) if process == session => {
                    let meaning = match stream {
                        Stream::Out => record.read(&self.nonce, &text),
                        Stream::Err => record.hear(&text),
                    };
                    match meaning {
                        Meaning::Begun(step) => {
                            output::headline(format_args!("{step}: {subject}"));
                            limit = self.request.limits.of(step);
                            deadline = Instant::now() + limit + GRACE;
                        }
                        // Whoever interrupted the tool does not want it any more.
                        Meaning::Built if interrupted.is_some() => {}
                        Meaning::Built => {
                            record.told_to_switch = true;
                            self.engine.write(session, "go\n");
                        }
                        // What a host says first begins with an empty line.
                        Meaning::Text if text.is_empty() && record.step.is_none() => {}
                        Meaning::Text => output::line(text),
                        Meaning::Noted if record.complete => self.engine.close_input(session),
                        Meaning::Noted => {}
                    }
                }
                Some(Happening::Exited { process, .. }) if process == session => {
                    return match interrupted {
                        Some(signal) => Err(record.left(signal, container)),
                        None => Ok(record),
                    };
                }
                Some(_) => {}
            }
        }
    }

    /// The next happening; what concerns the connection is dealt with here.
    fn pump(&mut self, step: Step, deadline: Instant) -> Result<Option<Happening>, Failure> {
        let happening = self
            .next(deadline)
            .map_err(|signal| Failure::interrupted(signal, step))?;
        match &happening {
            Some(Happening::Line {
                process,
                stream,
                text,
            }) if Some(*process) == self.master => match stream {
                Stream::Out => self.hear_host(text)?,
                Stream::Err => self.master_said.push(text.clone()),
            },
            Some(Happening::Exited { process, status })
                if Some(*process) == self.master && !self.host.complete =>
            {
                if self.ssh.was_too_old(&self.master_said) {
                    self.master_said.clear();
                    self.connect()?;
                    return Ok(happening);
                }
                return Err(self.no_connection((*status).into()));
            }
            _ => {}
        }
        Ok(happening)
    }

    /// The next happening before `deadline`. Meanwhile the host hears that the tool is there: who hears nothing of it for long
    /// takes the connection for lost.
    fn next(&mut self, deadline: Instant) -> Result<Option<Happening>, Interrupted> {
        loop {
            // Before it has said all, what is written is still taken for a part of its script.
            let Some(master) = self.master.filter(|_| self.host.complete) else {
                return self.engine.next(deadline);
            };
            let now = Instant::now();
            if now >= self.next_sign {
                self.engine.write(master, ".\n");
                self.next_sign = now + self.request.limits.sign_of_life();
            }
            let happening = self.engine.next(deadline.min(self.next_sign))?;
            if happening.is_some() || Instant::now() >= deadline {
                return Ok(happening);
            }
        }
    }

    fn hear_host(&mut self, line: &str) -> Result<(), Failure> {
        let before = self.host.complete;
        let meant = self.host.read(&self.nonce, line);
        if !meant && !self.host.complete && !line.trim().is_empty() {
            // Of an account that may not log in, this is all there is.
            self.master_said.push(line.to_owned());
        }
        if self.host.complete && !before {
            // At once: an evaluation for a container that can't be deployed need not end first.
            self.host
                .accepts(&self.request.target, &self.containers())?;
        }
        Ok(())
    }

    fn no_connection(&mut self, cause: Cause) -> Failure {
        let said = std::mem::take(&mut self.master_said);
        Failure::early(Step::Connect, self.request.target.to_string(), cause, said)
    }

    fn spawn(
        &mut self,
        step: Step,
        subject: &str,
        command: &CommandLine,
        input: Option<&str>,
    ) -> Result<ProcessId, Failure> {
        if self.request.verbose {
            output::command(command);
        }
        self.engine.spawn(command, input).map_err(|error| {
            let program = command.program().to_owned();
            let cause = Cause::NotStarted {
                program,
                reason: error.to_string(),
            };
            Failure::early(step, subject, cause, Vec::new())
        })
    }

    fn containers(&self) -> Vec<&'a Container> {
        self.request
            .deployments
            .iter()
            .map(|deployment| &deployment.container)
            .collect()
    }
}
