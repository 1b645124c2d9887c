//! The exit codes, which scripts rely on.

use std::process::ExitCode;

use spawnlab::{
    campaign::{
        qualify::CaseOutcome,
        verify::{Conclusion, Overall},
    },
    verdict::event::Summary,
};

/// How the command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    AsExpected = 0,
    Failed = 1,
    Usage = 2,
    Infrastructure = 3,
    NothingSelected = 4,
    /// 128 and the number of SIGINT, as shells have it.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<&Summary> for Exit {
    /// An interrupted run says nothing about what it left out, whatever came before. A scenario that
    /// failed is a finding, even if the lab failed for another one.
    fn from(summary: &Summary) -> Self {
        let any = |words: &[&str]| {
            let count = |word: &&str| summary.counts.get(*word).copied().unwrap_or(0);
            words.iter().any(|word| count(word) > 0)
        };
        if summary.interrupted {
            Self::Interrupted
        } else if any(&["failed", "flaky", "timed-out", "unexpected-pass"]) {
            Self::Failed
        } else if summary.as_expected {
            Self::AsExpected
        } else if any(&["unstable"]) && !any(&["infrastructure"]) {
            // With `--unstable=fail`.
            Self::Failed
        } else {
            Self::Infrastructure
        }
    }
}

impl From<&Overall> for Exit {
    /// Only a change that does what it claims is as expected.
    fn from(overall: &Overall) -> Self {
        match overall.conclusion {
            _ if overall.error.is_some() => Self::Infrastructure,
            Conclusion::DoesWhatItClaims => Self::AsExpected,
            Conclusion::NoEffect | Conclusion::Breaks | Conclusion::Flaky => Self::Failed,
            Conclusion::Undecided => Self::Infrastructure,
            Conclusion::NothingCompared => Self::NothingSelected,
            Conclusion::Interrupted => Self::Interrupted,
        }
    }
}

impl From<CaseOutcome> for Exit {
    fn from(outcome: CaseOutcome) -> Self {
        match outcome {
            CaseOutcome::AsExpected => Self::AsExpected,
            CaseOutcome::Failed => Self::Failed,
            CaseOutcome::Incomplete => Self::Infrastructure,
            CaseOutcome::Interrupted => Self::Interrupted,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use spawnlab::verdict::{Failure, Verdict, event::Record};

    use super::*;

    fn failure() -> Failure {
        Failure {
            assertion: "it is so".into(),
            expected: "yes".into(),
            seen: "no".into(),
            hop: None,
            lines: vec![],
        }
    }

    fn verdict(word: &str) -> Verdict {
        let tracker = "https://example.org/1".to_owned();
        match word {
            "passed" => Verdict::Passed,
            "failed" => Verdict::Failed(failure()),
            "expected-failure" => Verdict::ExpectedFailure {
                tracker,
                failure: failure(),
            },
            "unexpected-pass" => Verdict::UnexpectedPass { tracker },
            "flaky" => Verdict::Flaky {
                passed: 2,
                runs: 3,
                others: vec!["run 2 failed".into()],
            },
            "unstable" | "told" => Verdict::Unstable {
                failures: 1,
                runs: 9,
                clean: 2,
                gates: word == "unstable",
            },
            "skipped" => Verdict::Skipped { why: "so".into() },
            "timed-out" => Verdict::TimedOut {
                phase: "a lease".into(),
                waited_ms: 1,
                last: "nothing yet".into(),
            },
            "infrastructure" => Verdict::Infrastructure { error: "no".into() },
            other => panic!("no verdict is called {other}"),
        }
    }

    fn exit(words: &[&str], interrupted: bool) -> Exit {
        let records: Vec<_> = words
            .iter()
            .map(|word| Record {
                name: "a::b".into(),
                claim: "It is so.".into(),
                verdict: verdict(word),
                started: None,
                took_ms: 1,
                evidence: "evidence/a/b".into(),
                again: "spawnlab run --exact a::b".into(),
            })
            .collect();
        Exit::from(&Summary::of(&records, interrupted, Duration::ZERO))
    }

    #[rstest::rstest]
    #[case(&["passed", "skipped", "expected-failure"], Exit::AsExpected)]
    #[case(&["skipped"], Exit::AsExpected)]
    #[case(&["passed", "failed"], Exit::Failed)]
    #[case(&["timed-out"], Exit::Failed)]
    #[case(&["flaky", "passed"], Exit::Failed)]
    #[case(&["unexpected-pass", "passed"], Exit::Failed)]
    #[case(&["unstable", "passed"], Exit::Failed)]
    #[case(&["told", "passed"], Exit::AsExpected)]
    #[case(&["told", "infrastructure"], Exit::Infrastructure)]
    #[case(&["infrastructure", "passed"], Exit::Infrastructure)]
    #[case(&["infrastructure", "failed"], Exit::Failed)]
    fn what_the_verdicts_come_to(#[case] words: &[&str], #[case] expected: Exit) {
        assert_eq!(exit(words, false), expected);
    }

    #[rstest::rstest]
    #[case(&[])]
    #[case(&["passed"])]
    #[case(&["failed", "infrastructure"])]
    fn interrupted_whatever_came_before(#[case] words: &[&str]) {
        assert_eq!(exit(words, true), Exit::Interrupted);
    }

    #[test]
    fn a_run_that_came_to_nothing() {
        let summary = Summary::broken("image: no such folder", Duration::ZERO);
        assert_eq!(Exit::from(&summary), Exit::Infrastructure);
    }
}
