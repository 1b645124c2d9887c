//! One scenario in one case: counts, the last outcome, and whether it depends on what it ran on.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::verdict::{Verdict, event::Record};

/// How many runs in a row have to come to the same before a scenario is stable again.
pub const CLEAN: u64 = 100;
/// How many of its newest runs are kept one by one.
const RECENT: usize = 12;
/// On how many inputs its outcome is remembered.
const INPUTS: usize = 8;

/// What a run comes to, expected or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Every assertion held.
    #[default]
    Passed,
    /// One did not, or a wait was in vain.
    Failed,
}

impl Ending {
    /// The word that people read.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
        }
    }
}

/// What is known of a scenario in a case. The fields are explained in [`super`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "the table in the module's documentation explains the fields"
)]
pub struct LedgerEntry {
    pub runs: u64,
    pub failures: u64,
    pub last: String,
    pub outcome: Ending,
    pub same: u64,
    pub versions: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<Changed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unstable: Option<String>,
    inputs: VecDeque<Input>,
    pub recent: VecDeque<Past>,
}

/// The last change of an outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// When the first run with the new outcome began.
    pub at: String,
    /// The outcome before.
    pub from: Ending,
    /// The outcome since.
    pub to: Ending,
    /// The digest of the versions before.
    pub before: String,
    /// That of the versions of the first run with the new outcome.
    pub after: String,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// When it began, in UTC, as RFC 3339.
    pub at: String,
    /// The verdict's word.
    pub verdict: String,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Input {
    digest: String,
    outcome: Ending,
}

/// What a record says, with the time that one of its runs took.
#[derive(Debug)]
pub(super) struct SeenRecord {
    runs: u64,
    failures: u64,
    verdict: &'static str,
    took_ms: u64,
}

impl SeenRecord {
    /// What `record` of a run that repeated each scenario `repeat` times says, if it says anything of the scenario.
    pub(super) fn of(record: &Record, repeat: u32) -> Option<Self> {
        let repeat = u64::from(repeat);
        let (failures, runs) = match &record.verdict {
            Verdict::Passed | Verdict::UnexpectedPass { .. } | Verdict::Unstable { .. } => {
                (0, repeat)
            }
            Verdict::Failed(_) | Verdict::ExpectedFailure { .. } | Verdict::TimedOut { .. } => {
                (repeat, repeat)
            }
            Verdict::Flaky { passed, runs, .. } => {
                (u64::from(runs.saturating_sub(*passed)), u64::from(*runs))
            }
            Verdict::Skipped { .. } | Verdict::Infrastructure { .. } | Verdict::Interrupted => {
                return None;
            }
        };
        Some(Self {
            runs,
            failures,
            verdict: record.verdict.word(),
            took_ms: record.took_ms / runs.max(1),
        })
    }
}

impl LedgerEntry {
    /// Counts `seen`, which began `at` that time, on these inputs, if they are known, and versions.
    pub(super) fn note(
        &mut self,
        seen: &SeenRecord,
        at: &str,
        (inputs, versions): (Option<&str>, &str),
    ) {
        let ending = match seen.failures {
            0 => Ending::Passed,
            _ => Ending::Failed,
        };
        let mixed = seen.failures != 0 && seen.failures != seen.runs;
        let first = self.runs == 0;
        // Merged reports may be older than what is known. They count, and say nothing of now.
        let older = !first && is_before(at, &self.last);
        self.runs += seen.runs;
        self.failures += seen.failures;
        if mixed || inputs.is_some_and(|inputs| self.differs(inputs, ending)) {
            self.unstable.get_or_insert_with(|| at.to_owned());
            self.same = 0;
        }
        if older {
            return;
        }
        if !first && self.outcome != ending {
            self.changed = Some(Changed {
                at: at.to_owned(),
                from: self.outcome,
                to: ending,
                before: std::mem::take(&mut self.versions),
                after: versions.to_owned(),
            });
            self.same = 0;
        }
        self.same = if mixed { 0 } else { self.same + seen.runs };
        self.outcome = ending;
        versions.clone_into(&mut self.versions);
        at.clone_into(&mut self.last);
        if self.same >= CLEAN {
            self.unstable = None;
        }
        if let Some(inputs) = inputs {
            self.inputs.retain(|known| known.digest != inputs);
            self.inputs.push_back(Input {
                digest: inputs.to_owned(),
                outcome: ending,
            });
            let surplus = self.inputs.len().saturating_sub(INPUTS);
            self.inputs.drain(..surplus);
        }
        self.recent.push_back(Past {
            at: at.to_owned(),
            verdict: seen.verdict.to_owned(),
            took_ms: seen.took_ms,
        });
        let surplus = self.recent.len().saturating_sub(RECENT);
        self.recent.drain(..surplus);
    }

    /// Whether it came to something else than `ending` the last time on `inputs`.
    #[must_use]
    pub fn differs(&self, inputs: &str, ending: Ending) -> bool {
        let known = self.inputs.iter().find(|known| known.digest == inputs);
        known.is_some_and(|known| known.outcome != ending)
    }

    /// What a run that passed usually takes, in milliseconds; none if none of the newest did.
    #[must_use]
    pub fn usual_ms(&self) -> Option<u64> {
        let passed = |past: &&Past| matches!(past.verdict.as_str(), "passed" | "unstable");
        let mut times: Vec<u64> = self
            .recent
            .iter()
            .filter(passed)
            .map(|past| past.took_ms)
            .collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied()
    }

    pub(super) fn versions_named(&self) -> impl Iterator<Item = &str> {
        let changed = self.changed.iter();
        let changed = changed.flat_map(|one| [one.before.as_str(), one.after.as_str()]);
        changed.chain([self.versions.as_str()])
    }
}

/// Whether the time `one` is before `other`; what can't be read is not.
fn is_before(one: &str, other: &str) -> bool {
    let read = |text: &str| text.parse::<jiff::Timestamp>().ok();
    matches!((read(one), read(other)), (Some(one), Some(other)) if one < other)
}
