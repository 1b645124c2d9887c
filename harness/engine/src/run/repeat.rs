//! One verdict for a scenario that was run more than once, each time on a fresh clone.

use crate::{report::text, verdict::Verdict};

/// What `verdicts`, in the order of the runs, come to together: theirs if they agree, else
/// [`Verdict::Flaky`].
///
/// Runs that the lab itself spoiled decide nothing, and neither does an interrupted one: such a
/// verdict stands for all. Of several failures the first is told, with the rate among its lines.
#[must_use]
pub fn together(verdicts: &[Verdict]) -> Verdict {
    let spoiled = |verdict: &&Verdict| {
        matches!(
            verdict,
            Verdict::Infrastructure { .. } | Verdict::Interrupted
        )
    };
    if let Some(spoiled) = verdicts.iter().find(spoiled) {
        return spoiled.clone();
    }
    let Some(first) = verdicts.first() else {
        return Verdict::Skipped {
            why: "it was to be run no time".into(),
        };
    };
    let passed = count(verdicts, |verdict| *verdict == Verdict::Passed);
    let runs = count(verdicts, |_| true);
    let mixed = passed != runs && (passed != 0 || !alike(verdicts));
    if mixed {
        return Verdict::Flaky {
            passed,
            runs,
            others: others(verdicts),
        };
    }
    let mut verdict = first.clone();
    if let (Verdict::Failed(failure), true) = (&mut verdict, runs > 1) {
        failure.lines.push(format!("0 of {runs} passed"));
        failure.lines.extend(others(verdicts));
    }
    verdict
}

/// Whether `verdicts` are all skips, or none is: one that failed and one that timed out are both red.
fn alike(verdicts: &[Verdict]) -> bool {
    let skipped = count(verdicts, |verdict| {
        matches!(verdict, Verdict::Skipped { .. })
    });
    skipped == 0 || skipped == count(verdicts, |_| true)
}

fn count(verdicts: &[Verdict], wanted: impl Fn(&Verdict) -> bool) -> u32 {
    let count = verdicts.iter().filter(|verdict| wanted(verdict)).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn others(verdicts: &[Verdict]) -> Vec<String> {
    let numbered = (1..).zip(verdicts);
    numbered
        .filter(|(_, verdict)| **verdict != Verdict::Passed)
        .map(|(number, verdict)| {
            format!(
                "run {number} {}: {}",
                verdict.word(),
                text::essence(verdict)
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Failure;

    fn failed() -> Verdict {
        Verdict::Failed(Failure {
            assertion: "the lease".into(),
            expected: "one".into(),
            seen: "none".into(),
            hop: None,
            lines: vec![],
        })
    }

    fn timed_out() -> Verdict {
        Verdict::TimedOut {
            phase: "boot".into(),
            waited_ms: 1,
            last: "nothing".into(),
        }
    }

    fn skipped() -> Verdict {
        Verdict::Skipped { why: "so".into() }
    }

    #[rstest::rstest]
    #[case(vec![Verdict::Passed; 3], "passed")]
    #[case(vec![failed(), failed()], "failed")]
    #[case(vec![failed(), timed_out()], "failed")]
    #[case(vec![timed_out(), failed()], "timed-out")]
    #[case(vec![timed_out(), timed_out()], "timed-out")]
    #[case(vec![skipped(), skipped()], "skipped")]
    #[case(vec![Verdict::Passed, timed_out()], "flaky")]
    #[case(vec![timed_out(), skipped()], "flaky")]
    #[case(vec![Verdict::Passed, failed(), Verdict::Passed], "flaky")]
    #[case(vec![Verdict::Passed, skipped()], "flaky")]
    #[case(vec![failed(), skipped()], "flaky")]
    #[case(vec![failed(), Verdict::Passed, Verdict::Infrastructure { error: "no".into() }], "infrastructure")]
    #[case(vec![Verdict::Passed, Verdict::Interrupted], "interrupted")]
    #[case(vec![], "skipped")]
    fn what_runs_come_to(#[case] verdicts: Vec<Verdict>, #[case] word: &str) {
        assert_eq!(together(&verdicts).word(), word);
    }

    #[test]
    fn the_rate_and_the_runs_that_failed_are_told() {
        let flaky = together(&[Verdict::Passed, failed(), Verdict::Passed]);
        assert_eq!(text::essence(&flaky), "2 of 3 passed");
        let Verdict::Flaky { others, .. } = flaky else {
            panic!("{flaky:?}");
        };
        assert_eq!(others, ["run 2 failed: the lease: expected one, saw none"]);
        let Verdict::Failed(failure) = together(&[failed(), failed()]) else {
            panic!("not a failure");
        };
        assert_eq!(failure.lines[0], "0 of 2 passed");
        let once = together(&[failed()]);
        assert_eq!(once, failed(), "one run is told as it is");
    }
}
