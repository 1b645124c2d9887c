//! One scenario on one clone, from the clone's start to its verdict.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    error::{Error, Timeout},
    evidence,
    hop::Hop,
    host::Host,
    lab::Lab,
    layer::saved::Layer,
    scan,
    scenario::{Saboteur, Scenario},
    verdict::{Broken, Failure, Outcome, Verdict},
    walk,
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
    let lab = match layer.host(dir).await {
        Ok(host) => Lab::new(host, loops),
        Err(error) => return Broken::from(error).into_infrastructure(),
    };
    let verdict = on_clone(scenario, None, &lab).await;
    let host = lab.into_host();
    evidence::keep_or_warn(&host, SIDE, look.script).await;
    if look.walk && verdict == Verdict::Passed {
        first_broken(&host).await;
    }
    if let Err(error) = host.shut_down().await {
        tracing::warn!(%error, "a clone did not end well");
    }
    verdict
}

/// Starts a clone of `layer`, lets `saboteur` at it, runs `scenario`, keeps the evidence in
/// `dir`, and ends the clone.
pub async fn trial(
    scenario: &Scenario,
    saboteur: Option<&Saboteur>,
    layer: &Arc<Layer>,
    how: How,
    dir: &Utf8Path,
) -> Verdict {
    let host = match how.failed {
        Failed::Dropped => layer.host(dir).await,
        Failed::Kept => layer.host_to_keep(dir).await,
    };
    let lab = match host {
        Ok(host) => Lab::new(host, how.loops),
        Err(error) => return Broken::from(error).into_infrastructure(),
    };
    let verdict = on_clone(scenario, saboteur, &lab).await;
    let host = lab.into_host();
    let ended = match (how.failed, &verdict) {
        (Failed::Dropped, _) => host.shut_down().await,
        (Failed::Kept, Verdict::Passed) => layer.let_go(host, dir).await,
        (Failed::Kept, _) => layer.keep(host, dir).await,
    };
    if let Err(error) = ended {
        tracing::warn!(%error, "a clone did not end well");
    }
    verdict
}

async fn on_clone(scenario: &Scenario, saboteur: Option<&Saboteur>, lab: &Lab) -> Verdict {
    let host = lab.host();
    if let Some(saboteur) = saboteur {
        if let Err(broken) = sabotage(host, saboteur).await {
            evidence::collect(host, false).await;
            return broken.into_infrastructure();
        }
    }
    let limit = host.limit(scenario.deadline(lab.loops()));
    let outcome = match tokio::time::timeout(limit, scenario.body.run(lab)).await {
        Ok(outcome) => outcome.and_then(|()| console_is_clean(host)),
        Err(_) => Err(Broken::TimedOut(Timeout {
            what: "the scenario to end".into(),
            waited: limit,
            last: host.last_command(),
        })),
    };
    conclude(host, outcome).await
}

async fn sabotage(host: &Host, saboteur: &Saboteur) -> Outcome {
    let output = host
        .execute_with(
            &format!("set -e\n{}", saboteur.script),
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

fn console_is_clean(host: &Host) -> Outcome {
    let bad = scan::bad_lines(&host.console_tail(usize::MAX));
    match bad.first() {
        None => Ok(()),
        Some(first) => Err(Broken::Failed(Failure {
            assertion: "the console is clean".into(),
            expected: "no panic, oops, lockup or emergency shell".into(),
            seen: first.clone(),
            hop: None,
            lines: bad,
        })),
    }
}

/// Walks the chain of the container that was asked for last, keeps what was seen as evidence, and
/// returns the first broken hop.
async fn first_broken(host: &Host) -> Option<(Hop, String)> {
    let container = host.last_container().unwrap_or_else(|| "web".into());
    let steps = walk::walk(host, &container).await.ok()?;
    let text = serde_json::to_vec_pretty(&steps).ok()?;
    let _ = fs_err::write(host.evidence().join(walk::FILE), text);
    let step = walk::broken(&steps)?;
    Some((
        step.hop,
        format!("{} of {container}: {}", step.hop, step.seen),
    ))
}

async fn conclude(host: &Host, outcome: Outcome) -> Verdict {
    match explain(host, outcome).await {
        Ok(()) => Verdict::Passed,
        Err(broken) => broken.into_verdict(),
    }
}

/// Collects evidence, and for what failed walks the chain to name the hop that broke.
///
/// # Errors
/// What `outcome` holds, explained.
pub async fn explain(host: &Host, outcome: Outcome) -> Outcome {
    evidence::collect(host, outcome.is_ok()).await;
    let mut broken = match outcome {
        Ok(()) => return Ok(()),
        Err(broken) => broken,
    };
    match &mut broken {
        Broken::Failed(failure) => {
            if let Some((hop, seen)) = first_broken(host).await {
                failure.hop = Some(hop);
                failure.lines.push(seen);
            }
        }
        Broken::TimedOut(timeout) => {
            if let Some((_, seen)) = first_broken(host).await {
                timeout.last = format!("{}; broken hop: {seen}", timeout.last);
            }
        }
        Broken::Skipped(_) | Broken::Infrastructure(_) => {}
    }
    Err(broken)
}

/// Runs `scenario` under `saboteur`: it has to fail, as a failure of the assertion that the
/// saboteur names; and `spared` has to stay green under the same change.
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
            return disproved(
                "the saboteur turns it red",
                format!("a failure of `{}`", saboteur.fails),
                describe(other),
            );
        }
    }
    let (neighbour, layer) = spared;
    let green = match subfolder(dir, "spared") {
        Ok(dir) => trial(neighbour, Some(saboteur), layer, how.dropped(), &dir).await,
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
