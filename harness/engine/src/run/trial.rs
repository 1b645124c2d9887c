//! One scenario on one clone, from the clone's start to its verdict.

use std::{
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::{
    diagnose::{self, Endpoint},
    health::{self, Health},
    layer::{kept::Origin, saved::Layer},
    scenario::{Saboteur, Scenario, evidence, lab::Lab},
    util::error::{Error, Timeout},
    verdict::{Broken, Failure, Outcome, Verdict, hop::Hop},
    vm::host::Host,
};

/// What becomes of the host of a scenario that did not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// It is gone; its evidence is all there is.
    Dropped,
    /// It is saved into the evidence folder, to be resumed.
    Kept,
}

/// How a scenario is run.
#[derive(Debug, Clone, Copy)]
pub struct How {
    /// What becomes of its host if it does not pass.
    pub failed: Failed,
    /// How often it does what it does more than once: [`Lab::loops`].
    pub loops: NonZeroU32,
}

impl How {
    /// The same with a host that is not kept.
    fn dropped(self) -> Self {
        Self {
            failed: Failed::Dropped,
            ..self
        }
    }
}

/// What is looked at on a clone whose scenario is over, however it ended, for a comparison of two
/// sides to show.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Whether the chain is walked where the scenario passed, too. Where it failed it always is.
    pub walk: bool,
    /// A script whose output is kept as [`SIDE`].
    pub script: &'static str,
}

/// What the script of a [`Look`] printed, in the evidence folder.
pub const SIDE: &str = "side.txt";

/// Runs `scenario` on a clone of `layer` as [`trial`] does, and looks around before the clone ends.
pub async fn compared(
    scenario: &Scenario,
    layer: &Arc<Layer>,
    look: Look,
    loops: NonZeroU32,
    dir: &Utf8Path,
) -> Verdict {
    let mut clock = Clock::start();
    let lab = match layer.host(dir).await {
        Ok(host) => Lab::new(host, loops),
        Err(error) => return Broken::from(error).into_infrastructure(),
    };
    let health = Health::Counts(scenario.expects);
    clock.ended("clone");
    let verdict = on_clone(scenario, None, health, &lab, &mut clock, None).await;
    let host = lab.into_host();
    evidence::keep_or_warn(&host, SIDE, look.script).await;
    if look.walk && verdict == Verdict::Passed {
        first_broken(&host).await;
    }
    clock.ended("evidence");
    if let Err(error) = host.shut_down().await {
        tracing::warn!(%error, "a clone did not end well");
    }
    clock.ended("end");
    clock.keep(dir);
    verdict
}

/// Starts a clone of `layer`, lets `saboteur` at it, runs `scenario`, looks after the host's health,
/// keeps the evidence in `dir`, and ends the clone.
pub async fn trial(
    scenario: &Scenario,
    saboteur: Option<&Saboteur>,
    layer: &Arc<Layer>,
    how: How,
    dir: &Utf8Path,
) -> Verdict {
    let health = Health::Counts(scenario.expects);
    judged(scenario, saboteur, health, layer, how, dir).await
}

/// The parts of a trial and how long each took, in the evidence folder: an array of [`Phase`]s.
pub const PHASES: &str = "phases.json";

/// A part of a trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// `clone`, `scenario` (the saboteur's work included), `evidence` or `end`.
    pub phase: String,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// Takes the time of the parts of a trial, which follow each other.
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

    /// What began with the last part's end was `phase`, and is over.
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

async fn judged(
    scenario: &Scenario,
    saboteur: Option<&Saboteur>,
    health: Health,
    layer: &Arc<Layer>,
    how: How,
    dir: &Utf8Path,
) -> Verdict {
    let mut clock = Clock::start();
    let (lab, origin) = match layer.host_to_keep(dir).await {
        Ok((host, origin)) => (Lab::new(host, how.loops), origin),
        Err(error) => return Broken::from(error).into_infrastructure(),
    };
    clock.ended("clone");
    let keeper = (how.failed == Failed::Kept).then_some(&origin);
    let verdict = on_clone(scenario, saboteur, health, &lab, &mut clock, keeper).await;
    clock.ended("evidence");
    origin.measured(lab.host());
    if let Err(error) = lab.into_host().shut_down().await {
        tracing::warn!(%error, "a clone did not end well");
    }
    clock.ended("end");
    clock.keep(dir);
    verdict
}

/// `origin`, if any, keeps the host of a scenario that fails.
async fn on_clone(
    scenario: &Scenario,
    saboteur: Option<&Saboteur>,
    health: Health,
    lab: &Lab,
    clock: &mut Clock,
    origin: Option<&Origin>,
) -> Verdict {
    let host = lab.host();
    if let Some(saboteur) = saboteur {
        if let Err(broken) = sabotage(host, saboteur).await {
            health::noted(host).await;
            evidence::collect(host).await;
            return broken.into_infrastructure();
        }
    }
    let limit = host.limit(scenario.deadline(lab.loops()));
    let outcome = match tokio::time::timeout(limit, scenario.body.run(lab)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Broken::TimedOut(Timeout {
            what: "the scenario to end".into(),
            waited: limit,
            last: host.last_command(),
        })),
    };
    clock.ended("scenario");
    // Before anybody looks around on it: that would change what is to be looked at.
    let mut note = kept(origin, host, &outcome).await;
    let found = outcome.is_ok();
    let outcome = health::judged(host, outcome, health).await;
    if found {
        note = kept(origin, host, &outcome).await;
    }
    let verdict = match explain(host, outcome).await {
        Ok(()) => Verdict::Passed,
        Err(broken) => broken.into_verdict(),
    };
    match note {
        Some(note) => noted(verdict, note),
        None => verdict,
    }
}

/// Keeps `host`, if its scenario ended as a failure; returns what there is to say of that.
async fn kept(origin: Option<&Origin>, host: &Host, outcome: &Outcome) -> Option<String> {
    let (origin, broken) = (origin?, outcome.as_ref().err()?);
    if matches!(broken, Broken::Skipped(_)) {
        return None;
    }
    Some(match origin.keep(host, host.evidence()).await {
        Ok(true) => "the host is kept as it was then: `resume` with the evidence folder".into(),
        Ok(false) => "the host is not kept: as many as there may be are kept already".into(),
        Err(error) => format!("the host could not be kept: {error}"),
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

async fn sabotage(host: &Host, saboteur: &Saboteur) -> Outcome {
    let output = host
        .execute_with(
            &format!("set -e\n{}", saboteur.script()),
            b"",
            Duration::from_secs(60),
        )
        .await?;
    if output.status.success() {
        return Ok(());
    }
    Err(Broken::Infrastructure(Error::Machine(format!(
        "the saboteur {} itself failed with {}: {}{}",
        saboteur.name, output.status, output.stdout, output.stderr
    ))))
}

/// Walks the way to the container that was asked for last, keeps what was seen as evidence, and
/// returns the first broken hop with its explanation.
async fn first_broken(host: &Host) -> Option<(Hop, Vec<String>)> {
    let container = host.last_container().unwrap_or_else(|| "web".into());
    let walk = diagnose::diagnose(host, &Endpoint::to(&container))
        .await
        .ok()?;
    for (file, text) in [
        (diagnose::FILE, serde_json::to_vec_pretty(&walk.steps)),
        (diagnose::FACTS, serde_json::to_vec_pretty(&walk.facts)),
    ] {
        let _ = fs_err::write(host.evidence().join(file), text.ok()?);
    }
    Some((walk.broken()?.hop, walk.explanation()))
}

/// For what failed, collects evidence and walks the chain to name the hop that broke.
///
/// # Errors
/// What `outcome` holds, explained.
pub async fn explain(host: &Host, outcome: Outcome) -> Outcome {
    let mut broken = match outcome {
        Ok(()) => return Ok(()),
        Err(broken) => broken,
    };
    evidence::collect(host).await;
    match &mut broken {
        Broken::Failed(failure) => {
            if let Some((hop, lines)) = first_broken(host).await {
                failure.hop = Some(hop);
                failure.lines.extend(lines);
            }
        }
        Broken::TimedOut(timeout) => {
            if let Some((_, lines)) = first_broken(host).await {
                timeout.last = format!("{}; {}", timeout.last, lines[0]);
            }
        }
        Broken::Skipped(_) | Broken::Infrastructure(_) => {}
    }
    Err(broken)
}

/// Runs `scenario` under `saboteur`: it has to fail, as a failure of the assertion that the
/// saboteur names; and `spared` has to stay green under the same change. Where the scenario is skipped
/// with and without the saboteur, so is the proof.
///
/// The health of the host counts in the first of the two, after the scenario's own assertions, and
/// under names of its own: it makes no proof of a saboteur that names another assertion. It does not
/// count in the second: a saboteur may fail units, and a neighbour is spared when what it claims
/// itself still holds.
pub async fn proof(
    scenario: &Scenario,
    saboteur: &Saboteur,
    layer: &Arc<Layer>,
    spared: (&Scenario, &Arc<Layer>),
    how: How,
    dir: &Utf8Path,
) -> Verdict {
    let red = match subfolder(dir, "sabotaged") {
        Ok(dir) => trial(scenario, Some(saboteur), layer, how.dropped(), &dir).await,
        Err(error) => return Broken::from(error).into_verdict(),
    };
    match &red {
        Verdict::Failed(failure) if failure.assertion == saboteur.fails => {}
        Verdict::Infrastructure { .. } => return red,
        other => {
            // What says nothing of this host can't be proved on it. A saboteur that makes a scenario
            // skip which would run is none.
            if let (Verdict::Skipped { .. }, Ok(dir)) = (other, subfolder(dir, "plain")) {
                let plain = trial(scenario, None, layer, how.dropped(), &dir).await;
                if matches!(plain, Verdict::Skipped { .. }) {
                    return plain;
                }
            }
            return disproved(
                "the saboteur turns it red",
                format!("a failure of `{}`", saboteur.fails),
                describe(other),
            );
        }
    }
    let (neighbour, layer) = spared;
    let green = match subfolder(dir, "spared") {
        Ok(dir) => {
            let health = Health::Noted;
            judged(
                neighbour,
                Some(saboteur),
                health,
                layer,
                how.dropped(),
                &dir,
            )
            .await
        }
        Err(error) => return Broken::from(error).into_verdict(),
    };
    match green {
        Verdict::Passed | Verdict::Infrastructure { .. } => green,
        other => disproved(
            "the saboteur spares its neighbour",
            format!("{} to pass", neighbour.full_name()),
            describe(&other),
        ),
    }
}

fn subfolder(dir: &Utf8Path, name: &str) -> Result<Utf8PathBuf, Error> {
    let dir = dir.join(name);
    fs_err::create_dir_all(&dir)?;
    Ok(dir)
}

fn disproved(assertion: &str, expected: String, seen: String) -> Verdict {
    Verdict::Failed(Failure {
        assertion: assertion.to_owned(),
        expected,
        seen,
        hop: None,
        lines: Vec::new(),
    })
}

fn describe(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Failed(failure) => format!(
            "failed at `{}`: expected {}, saw {}",
            failure.assertion, failure.expected, failure.seen
        ),
        Verdict::TimedOut { phase, last, .. } => {
            format!("timed out waiting for {phase}; last seen: {last}")
        }
        Verdict::Skipped { why } => format!("skipped: {why}"),
        other => other.word().to_owned(),
    }
}
