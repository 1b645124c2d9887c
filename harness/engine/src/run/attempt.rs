//! One scenario on its clones, from their start to its verdict: for a run, for a proof and for a side of a
//! comparison.

mod clones;
mod kept;

use std::{
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use crate::{
    diagnose::{self, Endpoint},
    health::{self, Health},
    layer::saved::Layer,
    network::Direction,
    run::known::ExpectedAt,
    scenario::{DiskLog, Saboteur, Scenario, evidence, lab::Lab},
    util::error::{Error, Timeout},
    verdict::{Outcome, ScenarioError, Verdict, hop::Hop},
    vm::host::Host,
};
pub(in crate::run) use clones::Clones;
pub use clones::{FRAMES, NETWORK};

/// What is looked at on a clone whose scenario is over, however it ended, for a comparison of two
/// sides to show.
#[derive(Debug, Clone, Copy)]
pub struct Observation {
    /// Whether the chain is diagnosed where the scenario passed, too. Where it failed it always is.
    pub diagnose: bool,
    /// A script whose output is kept as [`SIDE`].
    pub script: &'static str,
}

/// What the script of an [`Observation`] printed, in the evidence folder.
pub const SIDE: &str = "side.txt";

/// The phases of an attempt and how long each took, in the evidence folder: an array of [`Phase`]s.
pub const PHASES: &str = "phases.json";

/// A phase of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// `clone`, `scenario` (the saboteur's work included), `evidence` or `end`.
    pub phase: String,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// Takes the time of the phases of an attempt, which follow each other.
#[derive(Debug)]
struct Clock {
    begin: Instant,
    phases: Vec<Phase>,
}

impl Clock {
    fn start() -> Self {
        Self {
            begin: Instant::now(),
            phases: vec![],
        }
    }

    /// What began with the last phase's end was `phase`, and is over.
    fn ended(&mut self, phase: &str) {
        let now = Instant::now();
        let took = now.duration_since(self.begin).as_millis();
        self.begin = now;
        self.phases.push(Phase {
            phase: phase.to_owned(),
            took_ms: u64::try_from(took).unwrap_or(u64::MAX),
        });
    }

    fn keep(&self, dir: &Utf8Path) {
        let text = serde_json::to_vec(&self.phases).unwrap_or_default();
        if let Err(error) = fs_err::write(dir.join(PHASES), text) {
            tracing::warn!(%error, "evidence is missing");
        }
    }
}

/// One scenario on its clones: one, or those of a lab of several machines.
#[derive(Debug, Clone)]
pub struct Attempt<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// What is done to a clone first.
    pub saboteur: Option<&'a Saboteur>,
    /// Whether the health of the hosts counts.
    pub health: Health,
    /// What its clones are of, in the order of the scenario's machines.
    pub layers: Vec<&'a Arc<Layer>>,
    /// What is looked at when the scenario is over.
    pub observation: Option<Observation>,
    /// How often the scenario loops, if it does.
    pub iterations: NonZeroU32,
    /// Whether the machines are kept if the scenario does not pass.
    pub keep: bool,
    /// Where it is expected to fail. The cause of such a failure is known: nothing is collected and nobody looks
    /// for the hop that is broken, which would take longer than most scenarios.
    pub expected: Vec<ExpectedAt<'a>>,
}

impl<'a> Attempt<'a> {
    /// `scenario` as it is on clones of `layers`, whose health counts and which are not kept.
    #[must_use]
    pub fn of(scenario: &'a Scenario, layers: Vec<&'a Arc<Layer>>, iterations: NonZeroU32) -> Self {
        Self {
            scenario,
            saboteur: None,
            health: Health::Counts(scenario.expects),
            layers,
            observation: None,
            iterations,
            keep: false,
            expected: vec![],
        }
    }

    /// Starts the clones, lets the saboteur at them, runs the scenario, looks after their health, keeps the
    /// evidence in `dir`, and ends the clones.
    pub async fn run(self, dir: &Utf8Path) -> Verdict {
        let mut clock = Clock::start();
        let started = Clones::start(self.scenario, &self.layers, self.iterations, dir).await;
        let clones = match started {
            Ok(clones) => clones,
            Err(error) => return ScenarioError::from(error).into_infrastructure(),
        };
        clock.ended("clone");
        let mut verdict = self.on_clones(&clones, &mut clock).await;
        for host in clones.lab.machines() {
            if let Some(observation) = self.observation {
                evidence::keep_or_warn(host, SIDE, observation.script).await;
                if observation.diagnose && verdict == Verdict::Passed {
                    first_broken(host).await;
                }
            }
        }
        clock.ended("evidence");
        if let Some(seed) = clones.seed() {
            verdict = noted(verdict, seed);
        }
        if let Err(error) = clones.end().await {
            tracing::warn!(%error, "a clone did not end well");
        }
        clock.ended("end");
        clock.keep(dir);
        verdict
    }

    async fn on_clones(&self, clones: &Clones, clock: &mut Clock) -> Verdict {
        let lab = &clones.lab;
        let host = lab.host();
        let to_keep = match self.scenario.disk {
            DiskLog::Unlogged if self.keep => Some(clones),
            _ => None,
        };
        if let Some(saboteur) = self.saboteur {
            if let Err(broken) = sabotage(lab, saboteur).await {
                for machine in lab.machines() {
                    health::noted(machine).await;
                    evidence::collect(machine).await;
                }
                return broken.into_infrastructure();
            }
        }
        let limit = host.limit(self.scenario.deadline(lab.iterations()));
        let outcome = match tokio::time::timeout(limit, self.scenario.body.run(lab)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ScenarioError::TimedOut(Timeout {
                what: "the scenario to end".into(),
                waited: limit,
                last: last_commands(lab),
            })),
        };
        clock.ended("scenario");
        // Before anybody looks around on it: that would change what is to be looked at.
        let mut note = kept(to_keep, &outcome).await;
        if self.keep && self.scenario.disk == DiskLog::Logged {
            note = Some("it is not kept: a host whose disk is logged can't be".into());
        }
        let held = outcome.is_ok();
        let mut outcome = outcome;
        for machine in lab.machines() {
            outcome = health::judged(machine, outcome, self.health).await;
        }
        if held && note.is_none() {
            note = kept(to_keep, &outcome).await;
        }
        let outcome = match outcome {
            Err(broken) if self.expects(&broken) => Err(broken),
            outcome => explain(&lab.machines(), outcome).await,
        };
        let verdict = match outcome {
            Ok(()) => Verdict::Passed,
            Err(broken) => broken.into_verdict(),
        };
        match note {
            Some(note) => noted(verdict, note),
            None => verdict,
        }
    }

    fn expects(&self, broken: &ScenarioError) -> bool {
        let ScenarioError::Failed(failure) = broken else {
            return false;
        };
        self.expected.iter().any(|at| at.is(&failure.assertion))
    }
}

/// Keeps `clones`, if their scenario ended as a failure; returns what there is to say of that.
async fn kept(clones: Option<&Clones>, outcome: &Outcome) -> Option<String> {
    let (clones, broken) = (clones?, outcome.as_ref().err()?);
    if matches!(broken, ScenarioError::Skipped(_)) {
        return None;
    }
    let (what, is) = match clones.lab.machines().len() {
        1 => ("host", "as it was then"),
        _ => ("lab", "with all its machines as they were then"),
    };
    Some(match clones.keep().await {
        Ok(true) => format!("the {what} is kept {is}: `resume` with the evidence folder"),
        Ok(false) => format!("the {what} is not kept: as many as there may be are kept already"),
        Err(error) => format!("the {what} could not be kept: {error}"),
    })
}

/// `verdict` with a last line more.
fn noted(mut verdict: Verdict, note: String) -> Verdict {
    match &mut verdict {
        Verdict::Failed(failure) => failure.lines.push(note),
        Verdict::TimedOut { last, .. } => *last = format!("{last}\n{note}"),
        Verdict::Infrastructure { error } => *error = format!("{error}\n{note}"),
        _ => {}
    }
    verdict
}

/// The command that was started last, on each machine that was given one.
fn last_commands(lab: &Lab) -> String {
    let machines = lab.machines();
    let [machine] = machines.as_slice() else {
        let all = machines.iter().map(|it| (it.name(), it.last_command()));
        let given = all.filter(|(_, command)| !command.is_empty());
        let given: Vec<_> = given.map(|(name, it)| format!("{name}: {it}")).collect();
        return given.join("; ");
    };
    machine.last_command()
}

async fn sabotage(lab: &Lab, saboteur: &Saboteur) -> Outcome {
    let Some(machine) = lab.find(saboteur.on) else {
        return Err(ScenarioError::Infrastructure(Error::Machine(format!(
            "the saboteur {} is done on the machine {}, and this lab has none of that name",
            saboteur.name, saboteur.on
        ))));
    };
    if let (true, Some(network)) = (saboteur.cuts(), lab.joined_by()) {
        network.cut(saboteur.on, Direction::Both)?;
    }
    let script = saboteur.script();
    if script.is_empty() {
        return Ok(());
    }
    let script = format!("set -e\n{script}");
    let output = machine
        .execute_with(&script, b"", Duration::from_secs(60))
        .await?;
    if output.status.success() {
        return Ok(());
    }
    Err(ScenarioError::Infrastructure(Error::Machine(format!(
        "the saboteur {} itself failed with {}: {}{}",
        saboteur.name, output.status, output.stdout, output.stderr
    ))))
}

/// Diagnoses the container that was asked for last, keeps what was seen as evidence, and returns the first
/// broken hop with its explanation.
async fn first_broken(host: &Host) -> Option<(Hop, Vec<String>)> {
    let container = host.last_container().unwrap_or_else(|| "web".into());
    let diagnosis = diagnose::diagnose(host, &Endpoint::to(&container))
        .await
        .ok()?;
    for (file, text) in [
        (diagnose::FILE, serde_json::to_vec_pretty(&diagnosis.steps)),
        (diagnose::FACTS, serde_json::to_vec_pretty(&diagnosis.facts)),
    ] {
        let _ = fs_err::write(host.evidence().join(file), text.ok()?);
    }
    Some((diagnosis.broken()?.hop, diagnosis.explanation()))
}

/// The first broken hop to the container that was asked for last, on the first of `machines` that has one.
async fn broken_on(machines: &[&Host]) -> Option<(Hop, Vec<String>)> {
    if let [host] = machines {
        return first_broken(host).await;
    }
    for host in machines {
        if host.last_container().is_none() {
            continue;
        }
        if let Some((hop, mut lines)) = first_broken(host).await {
            if let Some(first) = lines.first_mut() {
                *first = format!("on {}: {first}", host.name());
            }
            return Some((hop, lines));
        }
    }
    None
}

/// For what failed, collects evidence of all of `machines` and diagnoses the chain to name the hop that broke.
///
/// # Errors
/// What `outcome` holds, explained.
pub async fn explain(machines: &[&Host], outcome: Outcome) -> Outcome {
    let mut broken = match outcome {
        Ok(()) => return Ok(()),
        Err(broken) => broken,
    };
    for host in machines {
        evidence::collect(host).await;
    }
    match &mut broken {
        ScenarioError::Failed(failure) => {
            if let Some((hop, lines)) = broken_on(machines).await {
                failure.hop = Some(hop);
                failure.lines.extend(lines);
            }
        }
        ScenarioError::TimedOut(timeout) => {
            if let Some((_, lines)) = broken_on(machines).await {
                timeout.last = format!("{}; {}", timeout.last, lines[0]);
            }
        }
        ScenarioError::Skipped(_) | ScenarioError::Infrastructure(_) => {}
    }
    Err(broken)
}

#[cfg(test)]
mod lab_tests;
#[cfg(test)]
mod tests;
