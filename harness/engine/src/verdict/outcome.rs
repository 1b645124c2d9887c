//! What a scenario can come to.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    util::error::{CommandError, Error, Timeout},
    verdict::hop::Hop,
};

/// The end of a scenario, as reports show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "verdict")]
pub enum Verdict {
    /// Every assertion held.
    Passed,
    /// An assertion did not hold.
    Failed(Failure),
    /// It failed as a known bug makes it fail.
    ExpectedFailure {
        /// Where the bug is tracked (a URL).
        tracker: String,
        /// The failure itself.
        failure: Failure,
    },
    /// It passed although a known bug should make it fail.
    UnexpectedPass {
        /// Where the bug is tracked (a URL).
        tracker: String,
    },
    /// It was run more than once, and not with one result. Never a pass.
    Flaky {
        /// How many runs passed.
        passed: u32,
        /// How many there were.
        runs: u32,
        /// What the others came to, a line each, with the number of the run.
        others: Vec<String>,
    },
    /// It passed, and cannot be relied on: on the same inputs it came out differently before. Never shown as a pass.
    Unstable {
        /// How many of its runs failed.
        failures: u64,
        /// How many runs of it are known, this one included.
        runs: u64,
        /// How many runs in a row came out the same, this one included.
        clean: u64,
        /// Whether this makes the run other than expected.
        gates: bool,
    },
    /// It was not run.
    Skipped {
        /// Why.
        why: String,
    },
    /// Its time was over, or a wait that is no assertion was in vain.
    TimedOut {
        /// What was being waited for.
        phase: String,
        /// How long, in milliseconds.
        waited_ms: u64,
        /// What was seen last.
        last: String,
    },
    /// The lab itself failed; it says nothing about the claim.
    Infrastructure {
        /// What failed.
        error: String,
    },
    /// The user cut it short while it ran.
    Interrupted,
}

/// Why a scenario is skipped that an interruption came before.
pub(crate) const INTERRUPTED_BEFORE: &str = "interrupted before it began";
/// How the reason begins why a scenario is skipped under `--fail-fast`.
pub(crate) const NOT_STARTED_AFTER: &str = "not started after";

impl Verdict {
    /// Whether the scenario was to run, and the run ended before it could begin.
    #[must_use]
    pub fn is_left_out(&self) -> bool {
        matches!(self, Self::Skipped { why }
            if why == INTERRUPTED_BEFORE || why.starts_with(NOT_STARTED_AFTER))
    }

    /// Whether a run that holds this verdict is still as expected.
    #[must_use]
    pub fn is_expected(&self) -> bool {
        matches!(
            self,
            Self::Passed
                | Self::Skipped { .. }
                | Self::ExpectedFailure { .. }
                | Self::Unstable { gates: false, .. }
        )
    }

    /// The word that reports print.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(_) => "failed",
            Self::ExpectedFailure { .. } => "expected-failure",
            Self::UnexpectedPass { .. } => "unexpected-pass",
            Self::Flaky { .. } => "flaky",
            Self::Unstable { .. } => "unstable",
            Self::Skipped { .. } => "skipped",
            Self::TimedOut { .. } => "timed-out",
            Self::Infrastructure { .. } => "infrastructure",
            Self::Interrupted => "interrupted",
        }
    }
}

/// An assertion that did not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The assertion's name: a saboteur names it, too.
    pub assertion: String,
    /// What should have been.
    pub expected: String,
    /// What was.
    pub seen: String,
    /// The first hop of the chain found broken, where the host could still be asked.
    pub hop: Option<Hop>,
    /// The last relevant lines (journal, console, a command's output).
    pub lines: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: expected {}, saw {}",
            self.assertion, self.expected, self.seen
        )
    }
}

/// Why a scenario's body ended early.
#[derive(Debug)]
pub enum ScenarioError {
    /// An assertion did not hold.
    Failed(Failure),
    /// A wait that is no assertion was in vain.
    TimedOut(Timeout),
    /// The scenario can't be run here.
    Skipped(String),
    /// The lab itself failed.
    Infrastructure(Error),
}

impl ScenarioError {
    /// The verdict where it happened to the lab and not to the scenario.
    #[must_use]
    pub fn into_infrastructure(self) -> Verdict {
        Verdict::Infrastructure {
            error: self.to_string(),
        }
    }

    /// The verdict this amounts to.
    #[must_use]
    pub fn into_verdict(self) -> Verdict {
        match self {
            Self::Failed(failure) => Verdict::Failed(failure),
            Self::TimedOut(timeout) => Verdict::TimedOut {
                phase: timeout.what,
                waited_ms: millis(timeout.waited),
                last: timeout.last,
            },
            Self::Skipped(why) => Verdict::Skipped { why },
            Self::Infrastructure(error) => Verdict::Infrastructure {
                error: error.to_string(),
            },
        }
    }
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(failure) => failure.fmt(f),
            Self::TimedOut(timeout) => timeout.fmt(f),
            Self::Skipped(why) => write!(f, "skipped: {why}"),
            Self::Infrastructure(error) => error.fmt(f),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl From<Failure> for ScenarioError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        let lines = error
            .stderr
            .lines()
            .chain(error.stdout.lines())
            .rev()
            .take(20)
            .map(str::to_owned)
            .collect::<Vec<_>>();
        Self {
            assertion: format!("`{}` {}", error.command, error.demand),
            expected: error.demand.to_owned(),
            seen: error.status,
            hop: None,
            lines: lines.into_iter().rev().collect(),
        }
    }
}

impl From<Error> for ScenarioError {
    // A command's wrong exit status is a finding about the host; everything else is the lab's own fault.
    fn from(error: Error) -> Self {
        match error {
            Error::Command(error) => Self::Failed(error.into()),
            Error::Timeout(timeout) => Self::TimedOut(timeout),
            other => Self::Infrastructure(other),
        }
    }
}

/// What a scenario's body returns.
pub type Outcome = std::result::Result<(), ScenarioError>;
