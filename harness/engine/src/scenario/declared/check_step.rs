//! What is wrong with a step.

use std::{ops::Range, time::Duration};

use toml::Spanned;

use super::{
    check::{Checker, Result},
    data::DeclaredMachine,
    raw::{RawStep, RawText},
    step::{DeclaredStep, Do, ExpectedOutput, Text, WITHIN, compiled},
};
use crate::vm::qemu::agent::first_line;

/// What makes a verb of a script.
type Make = fn(String) -> Do;

impl Checker<'_> {
    pub(super) fn step(
        &self,
        step: Spanned<RawStep>,
        machines: &[DeclaredMachine],
    ) -> Result<DeclaredStep> {
        let location = step.span();
        let raw = step.into_inner();
        let container = match &raw.container {
            Some(given) => Some(self.name(given, "container")?),
            None => None,
        };
        let machine = match &raw.on {
            Some(on) => Some(self.machine(on, machines)?),
            None => None,
        };
        let within = self.seconds(raw.within.clone())?;
        let expected = ExpectedOutput {
            status: raw.status.as_ref().map(|status| *status.get_ref()),
            stdout: self.texts(raw.stdout.as_ref())?,
            stderr: self.texts(raw.stderr.as_ref())?,
        };
        let user = raw.user.as_ref().map(|user| self.user(user)).transpose()?;
        let environment = self.environment(&raw.env)?;
        let act = self.act(&raw, location.clone(), machines)?;
        self.belongs_to_a_network(&raw, &act)?;
        self.fits(&raw, &act)?;
        self.belongs(&raw, &act)?;
        let called = match raw.called {
            Some(called) if called.get_ref().trim().is_empty() => {
                return self.wrong(
                    called.span(),
                    "the step's name is empty",
                    "leave `called` out, and the step is called after its verb",
                );
            }
            Some(called) => called.into_inner(),
            None => named(&act, container.as_deref(), machine.as_deref()),
        };
        Ok(DeclaredStep {
            called,
            act,
            machine,
            container,
            user,
            environment,
            within: within.map_or(WITHIN, Duration::from_secs),
            expected,
        })
    }

    fn texts(&self, given: Option<&Spanned<RawText>>) -> Result<Vec<Text>> {
        let Some(given) = given else {
            return Ok(vec![]);
        };
        let raw = given.get_ref();
        let mut texts = vec![];
        let mut add = |text: &Option<Spanned<String>>, make: fn(String) -> Text| {
            texts.extend(text.as_ref().map(|text| make(text.get_ref().clone())));
        };
        add(&raw.equals, Text::Equals);
        add(&raw.contains, Text::Contains);
        add(&raw.lacks, Text::Lacks);
        add(&raw.matches, Text::Matches);
        if texts.is_empty() {
            return self.wrong(
                given.span(),
                "nothing is said of the output",
                "write one of equals, contains, lacks and matches into the braces",
            );
        }
        for part in [&raw.contains, &raw.lacks].into_iter().flatten() {
            if part.get_ref().is_empty() {
                return self.wrong(
                    part.span(),
                    "every text contains the empty one",
                    "say which part of the output is meant",
                );
            }
        }
        if let Some(pattern) = &raw.matches {
            if let Err(error) = compiled(pattern.get_ref()) {
                let why = error.to_string();
                let last = why.lines().last().unwrap_or_default();
                return self.wrong(
                    pattern.span(),
                    format!(
                        "this is no regular expression: {}",
                        last.trim_start_matches("error: ")
                    ),
                    "in TOML a pattern is best written in single quotes, where \\ means itself",
                );
            }
        }
        Ok(texts)
    }

    fn act(
        &self,
        raw: &RawStep,
        location: Range<usize>,
        machines: &[DeclaredMachine],
    ) -> Result<Do> {
        let mut acts: Vec<(Do, Range<usize>)> = vec![];
        let scripts: [(&Option<Spanned<String>>, Make); 6] = [
            (&raw.succeed, Do::Succeed),
            (&raw.fail, Do::Fail),
            (&raw.execute, Do::Execute),
            (&raw.wait_until_succeeds, Do::WaitUntilSucceeds),
            (&raw.wait_until_fails, Do::WaitUntilFails),
            (&raw.wait_for_unit, Do::WaitForUnit),
        ];
        for (given, make) in scripts {
            if let Some(given) = given {
                if given.get_ref().trim().is_empty() {
                    return self.wrong(
                        given.span(),
                        "there is nothing to do in this step",
                        "write a command, or a unit's name for wait_for_unit",
                    );
                }
                acts.push((make(given.get_ref().clone()), given.span()));
            }
        }
        if let Some(port) = &raw.wait_for_open_port {
            if *port.get_ref() == 0 {
                return self.wrong(port.span(), "0 is no port", "ports go from 1 to 65535");
            }
            acts.push((Do::WaitForOpenPort(*port.get_ref()), port.span()));
        }
        if let Some(name) = &raw.wait_for_lease {
            acts.push((Do::WaitForLease(self.name(name, "container")?), name.span()));
        }
        if let Some(name) = &raw.wait_for_name {
            acts.push((Do::WaitForName(self.name(name, "container")?), name.span()));
        }
        for (machine, fails) in [(&raw.deploy, false), (&raw.deploy_fails, true)] {
            if let Some(machine) = machine {
                let deploy = self.deploy(raw, machine, fails, machines)?;
                acts.push((deploy, machine.span()));
            }
        }
        if let Some(path) = &raw.put_file {
            acts.push((self.put_file(raw, path)?, path.span()));
        }
        acts.extend(self.network(raw, machines)?);
        let mut acts = acts.into_iter();
        match (acts.next(), acts.next()) {
            (Some((act, _)), None) => Ok(act),
            (None, _) => {
                let verbs = RawStep::VERBS.join(", ");
                let hint = format!("a step has one of {verbs}");
                self.wrong(location, "the step does nothing", hint)
            }
            (Some(_), Some((_, second))) => self.wrong(
                second,
                "the step does two things",
                "make two steps of it: each has one verb",
            ),
        }
    }

    /// Whether everything that is said besides the verb means something with it.
    fn fits(&self, raw: &RawStep, act: &Do) -> Result<()> {
        let runs = matches!(
            act,
            Do::Succeed(_)
                | Do::Fail(_)
                | Do::Execute(_)
                | Do::WaitUntilSucceeds(_)
                | Do::Deploy { .. }
        );
        let output = raw.stdout.as_ref().or(raw.stderr.as_ref());
        if let (Some(output), false) = (output, runs) {
            return self.wrong(
                output.span(),
                "this step prints nothing",
                "expect output of succeed, fail, execute, wait_until_succeeds or deploy",
            );
        }
        if let Some(status) = &raw.status {
            match act {
                Do::Execute(_) | Do::Deploy { fails: false, .. } => {}
                Do::Fail(_) | Do::Deploy { fails: true, .. } if *status.get_ref() != 0 => {}
                Do::Fail(_) | Do::Deploy { .. } => {
                    return self.wrong(
                        status.span(),
                        "a command that fails does not exit with 0",
                        match act {
                            Do::Fail(_) => "write succeed, or another status",
                            _ => "write deploy, or another status",
                        },
                    );
                }
                _ => {
                    return self.wrong(
                        status.span(),
                        "the verb says already how the command has to end",
                        "leave it out, or write execute",
                    );
                }
            }
        }
        let inside = !matches!(
            act,
            Do::WaitForLease(_) | Do::WaitForName(_) | Do::Deploy { .. }
        );
        if let (Some(container), false) = (&raw.container, inside) {
            return self.wrong(
                container.span(),
                "this verb asks host and container both",
                "leave `in` out; the verb itself names the container",
            );
        }
        Ok(())
    }
}

/// What a step is called that does not say: as its Rust counterpart's failure is.
fn named(act: &Do, container: Option<&str>, machine: Option<&str>) -> String {
    let container = container.map(|name| format!(" in {name}"));
    let machine = machine.map(|name| format!(" on {name}"));
    let location = container.unwrap_or_default() + &machine.unwrap_or_default();
    let script = |script: &str| format!("`{}{location}`", first_line(script.trim_start()));
    match act {
        Do::Succeed(text) => format!("{} should succeed", script(text)),
        Do::Fail(text) => format!("{} should fail", script(text)),
        Do::Execute(text) => format!("{} should end as expected", script(text)),
        Do::WaitUntilSucceeds(text) => format!("{} should come to succeed", script(text)),
        Do::WaitUntilFails(text) => format!("{} should come to fail", script(text)),
        Do::WaitForUnit(unit) => format!("{unit}{location} should be active"),
        Do::WaitForOpenPort(port) => format!("port {port}{location} should be open"),
        Do::WaitForLease(name) => format!("{name}{location} should hold a lease"),
        Do::WaitForName(name) => {
            format!("the name {name}{location} should mean the leased address")
        }
        Do::Deploy {
            machine,
            container,
            fails,
            ..
        } => {
            let fails = if *fails { " should fail" } else { "" };
            format!("deploying {machine} into {container}{location}{fails}")
        }
        Do::PutFile { path, .. } => format!("putting {path}{location}"),
        Do::Impair { machine, .. } => format!("impairing the link of {machine}"),
        Do::Cut { machine, .. } => format!("cutting the link of {machine}"),
        Do::Heal(machine) => format!("healing the link of {machine}"),
    }
}
