//! What is wrong with the machines of a scenario, and with the steps that work on the network between them.

use std::{ops::Range, time::Duration};

use toml::Spanned;

use super::{
    check::{Checker, Result},
    data::DeclaredMachine,
    parse::nearest,
    raw::{RawImpairment, RawScenario, RawStep},
    step::Do,
};
use crate::{
    network::{Direction, Impairment},
    scenario::Base,
    verdict::finding::HOST,
};

/// The longest name of a machine: it becomes a host name.
const LONGEST_NAME: usize = 32;
/// The most machines of a lab.
const MOST: usize = 32;

/// What rates are written in, and how many bits it has: those of tc.
const UNITS: [(&str, u64); 4] = [
    ("bit", 1),
    ("kbit", 1_000),
    ("mbit", 1_000_000),
    ("gbit", 1_000_000_000),
];

/// The machine on which steps and saboteurs work that name none: as [`crate::scenario::lab::Lab::host`] has it.
pub(super) fn container_host(machines: &[DeclaredMachine]) -> &str {
    let host = machines.iter().find(|machine| machine.name == HOST);
    host.or(machines.first())
        .map_or(HOST, |machine| &machine.name)
}

impl Checker<'_> {
    /// One machine called `host`, or those that `scenario` names.
    pub(super) fn machines(&self, scenario: &RawScenario) -> Result<Vec<DeclaredMachine>> {
        let Some(given) = &scenario.machines else {
            return Ok(vec![DeclaredMachine {
                name: HOST.to_owned(),
                base: self.base(scenario.from.as_ref())?,
            }]);
        };
        if let Some(from) = &scenario.from {
            return self.wrong(
                from.span(),
                "each machine says itself what it starts from",
                "write `from` into the braces of the machines",
            );
        }
        if !(2..=MOST).contains(&given.get_ref().len()) {
            return self.wrong(
                given.span(),
                format!(
                    "a lab has 2 to {MOST} machines, and this {}",
                    given.get_ref().len()
                ),
                "without `machines` there is one, which is called host",
            );
        }
        let mut machines: Vec<DeclaredMachine> = vec![];
        for machine in given.get_ref() {
            let name = &machine.get_ref().name;
            self.host_name(name)?;
            if machines.iter().any(|other| other.name == *name.get_ref()) {
                return self.wrong(
                    name.span(),
                    format!("there is another machine {}", name.get_ref()),
                    "give each a name of its own: they reach each other by it",
                );
            }
            machines.push(DeclaredMachine {
                name: name.get_ref().clone(),
                base: self.base(machine.get_ref().from.as_ref())?,
            });
        }
        Ok(machines)
    }

    fn host_name(&self, given: &Spanned<String>) -> Result<()> {
        let name = given.get_ref();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let begins = |c: char| c.is_ascii_lowercase();
        let fits = name.len() <= LONGEST_NAME && name != "localhost";
        if !name.starts_with(begins) || !name.chars().all(plain) || !fits {
            return self.wrong(
                given.span(),
                format!("{name:?} is no name of a machine"),
                format!(
                    "it becomes a host name: small letters and digits, {LONGEST_NAME} at most, and not localhost"
                ),
            );
        }
        Ok(())
    }

    fn base(&self, from: Option<&Spanned<String>>) -> Result<Base> {
        let Some(from) = from else {
            return Ok(Base::Deployed);
        };
        let mut bases = [Base::Host, Base::Deployed].into_iter();
        match bases.find(|base| base.name() == from.get_ref()) {
            Some(base) => Ok(base),
            None => self.wrong(
                from.span(),
                format!("no machine starts from {:?}", from.get_ref()),
                "there are host (nothing is deployed yet) and deployed",
            ),
        }
    }

    /// The one of `machines` that is called as `given` says.
    pub(super) fn machine(
        &self,
        given: &Spanned<String>,
        machines: &[DeclaredMachine],
    ) -> Result<String> {
        let name = given.get_ref();
        if machines.iter().any(|machine| machine.name == *name) {
            return Ok(name.clone());
        }
        let known: Vec<&str> = machines
            .iter()
            .map(|machine| machine.name.as_str())
            .collect();
        let hint = match (nearest(name, &known), known.as_slice()) {
            (Some(near), _) => format!("did you mean {near}?"),
            (None, [alone]) => format!("there is {alone}; several are named with `machines`"),
            (None, _) => format!("there are {}", known.join(", ")),
        };
        let message = format!("the scenario has no machine {name:?}");
        self.wrong(given.span(), message, hint)
    }

    /// What `raw` does to the network, if it does something.
    pub(super) fn network(
        &self,
        raw: &RawStep,
        machines: &[DeclaredMachine],
    ) -> Result<Vec<(Do, Range<usize>)>> {
        let mut acts = vec![];
        let verbs = [&raw.impair, &raw.cut, &raw.heal];
        if let (Some(given), [_]) = (verbs.into_iter().flatten().next(), machines) {
            return self.wrong(
                given.span(),
                "one machine has no network",
                "name several: machines = [{ name = \"laptop\", from = \"host\" }, { name = \"host\" }]",
            );
        }
        if let Some(given) = &raw.impair {
            let act = Do::Impair {
                machine: self.machine(given, machines)?,
                direction: self.direction(raw.direction.as_ref())?,
                with: self.impairment(raw.with.as_ref(), given.span())?,
            };
            acts.push((act, given.span()));
        }
        if let Some(given) = &raw.cut {
            let act = Do::Cut {
                machine: self.machine(given, machines)?,
                direction: self.direction(raw.direction.as_ref())?,
            };
            acts.push((act, given.span()));
        }
        if let Some(given) = &raw.heal {
            acts.push((Do::Heal(self.machine(given, machines)?), given.span()));
        }
        Ok(acts)
    }

    fn direction(&self, given: Option<&Spanned<String>>) -> Result<Direction> {
        let Some(given) = given else {
            return Ok(Direction::Both);
        };
        match given.get_ref().as_str() {
            "out" => Ok(Direction::Out),
            "in" => Ok(Direction::In),
            "both" => Ok(Direction::Both),
            other => self.wrong(
                given.span(),
                format!("{other:?} is no direction"),
                "out is what the machine sends, in is what it receives, and both is what is meant without it",
            ),
        }
    }

    /// `with` of a step that impairs, whose verb is at `location`.
    fn impairment(
        &self,
        with: Option<&Spanned<RawImpairment>>,
        location: Range<usize>,
    ) -> Result<Impairment> {
        type Share = fn(&mut Impairment) -> &mut f64;
        type Time = fn(&mut Impairment) -> &mut Duration;
        let location = with.map_or(location, Spanned::span);
        let mut all = Impairment::default();
        if let Some(raw) = with.map(Spanned::get_ref) {
            let shares: [(_, Share); 4] = [
                (&raw.loss, |it| &mut it.loss),
                (&raw.duplicate, |it| &mut it.duplicate),
                (&raw.reorder, |it| &mut it.reorder),
                (&raw.corrupt, |it| &mut it.corrupt),
            ];
            for (given, field) in shares {
                if let Some(given) = given {
                    *field(&mut all) = *given.get_ref();
                    self.possible(&all, given.span(), "0.05 is one frame in twenty")?;
                }
            }
            let times: [(_, Time); 2] = [
                (&raw.delay, |it| &mut it.delay),
                (&raw.jitter, |it| &mut it.jitter),
            ];
            for (given, field) in times {
                if let Some(given) = given {
                    *field(&mut all) = self.time(given)?;
                    self.possible(
                        &all,
                        given.span(),
                        "a frame that takes longer is as good as lost",
                    )?;
                }
            }
            all.rate = raw
                .rate
                .as_ref()
                .map(|given| self.rate(given))
                .transpose()?;
        }
        if all == Impairment::default() {
            return self.wrong(
                location,
                "nothing is said of what happens to the frames",
                "write with = { loss = 0.05, delay = \"100ms\", rate = \"512kbit\" }, or a part of it",
            );
        }
        Ok(all)
    }

    fn possible(&self, with: &Impairment, location: Range<usize>, hint: &str) -> Result<()> {
        with.validate()
            .or_else(|why| self.wrong(location, why.to_string(), hint))
    }

    fn time(&self, given: &Spanned<String>) -> Result<Duration> {
        humantime::parse_duration(given.get_ref()).or_else(|_| {
            self.wrong(
                given.span(),
                format!("{:?} is no time", given.get_ref()),
                "write it with its unit, such as \"100ms\" or \"2s\"",
            )
        })
    }

    /// Bytes per second.
    fn rate(&self, given: &Spanned<String>) -> Result<u64> {
        let text = given.get_ref();
        let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let number = text.strip_suffix(unit).and_then(|it| it.parse().ok());
        let bits = UNITS.iter().find(|(name, _)| *name == unit);
        let rate = number
            .zip(bits)
            .and_then(|(number, (_, bits))| bits.checked_mul(number));
        match rate.map(|bits| bits / 8) {
            Some(bytes) if bytes > 0 => Ok(bytes),
            _ => self.wrong(
                given.span(),
                format!("{text:?} is no rate"),
                "write bits per second as tc does, such as \"512kbit\" or \"10mbit\", from 8bit on; to let nothing pass, cut",
            ),
        }
    }

    /// Whether what stands beside the verb of `act` belongs to a step of the network, or of a machine.
    pub(super) fn belongs_to_a_network(&self, raw: &RawStep, act: &Do) -> Result<()> {
        if let (Some(with), false) = (&raw.with, matches!(act, Do::Impair { .. })) {
            return self.wrong(with.span(), "only impair takes this", "leave it out");
        }
        let one_way = matches!(act, Do::Impair { .. } | Do::Cut { .. });
        if let (Some(direction), false) = (&raw.direction, one_way) {
            return self.wrong(
                direction.span(),
                "only impair and cut take this",
                "leave it out; heal takes back what was done in both directions",
            );
        }
        if !act.is_of_the_network() {
            return Ok(());
        }
        if let Some(on) = &raw.on {
            return self.wrong(
                on.span(),
                "the verb itself names the machine",
                "leave `on` out: the network is the lab's, and no machine is asked",
            );
        }
        if let Some(container) = &raw.container {
            return self.wrong(
                container.span(),
                "the network is between machines",
                "leave `in` out: a container's frames leave by its machine",
            );
        }
        if let Some(within) = &raw.within {
            return self.wrong(within.span(), "this step waits for nothing", "leave it out");
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "check_machines_tests.rs"]
mod tests;
