//! Scenarios that come out differently on the same inputs: a pass of theirs is told as what it is.

use crate::{
    report::ledger::{CLEAN, Ending, Ledger, excerpt::Excerpt},
    verdict::{Verdict, event::Environment},
};

/// What earlier runs say of whether scenarios can be relied on.
#[derive(Debug, Clone, Default)]
pub struct Stability {
    ledger: Ledger,
    gates: bool,
}

impl Stability {
    /// As `ledger` has it; a pass of an unstable scenario is as expected, unless it `gates`.
    #[must_use]
    pub fn of(ledger: Ledger, gates: bool) -> Self {
        Self { ledger, gates }
    }

    /// What is known of the scenarios `names` on `environment`, for a report to carry; none if nothing is.
    #[must_use]
    pub fn excerpt(&self, names: &[String], environment: &Environment) -> Option<Excerpt> {
        self.ledger.excerpt(names, environment)
    }

    /// What `verdict` of the scenario `name`, which ran `runs` times on `environment`, is with what is known.
    ///
    /// A pass is one only where it has come out the same [`CLEAN`] times in a row, or never came out
    /// differently on the same inputs. A failure stays a failure, and says how often it was none.
    #[must_use]
    pub fn judge(
        &self,
        name: &str,
        environment: &Environment,
        runs: u32,
        verdict: Verdict,
    ) -> Verdict {
        let Some(entry) = self.ledger.entry(name, environment) else {
            return verdict;
        };
        let inputs = environment.inputs.as_deref();
        let differs = |ending| inputs.is_some_and(|inputs| entry.differs(inputs, ending));
        match verdict {
            Verdict::Passed => {
                let differs = differs(Ending::Passed);
                let before = match entry.outcome {
                    Ending::Passed if !differs => entry.same,
                    _ => 0,
                };
                let clean = before + u64::from(runs);
                if (differs || entry.unstable.is_some()) && clean < CLEAN {
                    return Verdict::Unstable {
                        failures: entry.failures,
                        runs: entry.runs + u64::from(runs),
                        clean,
                        gates: self.gates,
                    };
                }
                Verdict::Passed
            }
            Verdict::Failed(mut failure) if differs(Ending::Failed) || entry.unstable.is_some() => {
                failure.lines.push(format!(
                    "unstable: {} of {} earlier runs passed; it comes out differently on the same inputs",
                    entry.runs - entry.failures,
                    entry.runs
                ));
                Verdict::Failed(failure)
            }
            verdict => verdict,
        }
    }
}

#[cfg(test)]
mod tests;
