//! The proof of a scenario: under its saboteur it fails where the saboteur says, and a neighbour passes.

use camino::{Utf8Path, Utf8PathBuf};

use super::{attempt::Attempt, known::ExpectedAt};
use crate::{
    health::Health,
    scenario::Saboteur,
    util::error::Error,
    verdict::{Failure, ScenarioError, Verdict},
};

/// Runs the scenario of `plain` under `saboteur`: it has to fail, as a failure of the assertion that the
/// saboteur names; and that of `spared` has to stay green under the same change. Where the scenario is skipped
/// with and without the saboteur, so is the proof.
///
/// The health of the host counts in the first of the two, after the scenario's own assertions, and
/// under names of its own: it makes no proof of a saboteur that names another assertion. It does not
/// count in the second: a saboteur may fail units, and a neighbour is spared when what it claims
/// itself still holds.
pub async fn proof(
    plain: Attempt<'_>,
    saboteur: &Saboteur,
    spared: Attempt<'_>,
    dir: &Utf8Path,
) -> Verdict {
    let sabotaged = Attempt {
        saboteur: Some(saboteur),
        expected: vec![ExpectedAt::Assertion(saboteur.fails)],
        ..plain.clone()
    };
    let red = match subfolder(dir, "sabotaged") {
        Ok(dir) => sabotaged.run(&dir).await,
        Err(error) => return ScenarioError::from(error).into_verdict(),
    };
    match &red {
        Verdict::Failed(failure) if failure.assertion == saboteur.fails => {}
        Verdict::Infrastructure { .. } => return red,
        other => {
            // What says nothing of this host can't be proved on it. A saboteur that makes a scenario
            // skip which would run is none.
            if let (Verdict::Skipped { .. }, Ok(dir)) = (other, subfolder(dir, "plain")) {
                let plain = plain.run(&dir).await;
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
    let name = spared.scenario.full_name();
    let neighbour = Attempt {
        saboteur: Some(saboteur),
        health: Health::Noted,
        ..spared
    };
    let green = match subfolder(dir, "spared") {
        Ok(dir) => neighbour.run(&dir).await,
        Err(error) => return ScenarioError::from(error).into_verdict(),
    };
    match green {
        Verdict::Passed | Verdict::Infrastructure { .. } => green,
        other => disproved(
            "the saboteur spares its neighbour",
            format!("{name} to pass"),
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

#[cfg(test)]
mod tests;
