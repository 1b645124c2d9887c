//! A verdict in the words of the page.

use super::page::{PageFact, fact};
use crate::{
    report::text,
    verdict::{Failure, Verdict},
};

/// What a verdict has to say besides its word: facts, lines and a tracker.
pub(super) fn problem(verdict: &Verdict) -> (Vec<PageFact>, Vec<String>, String) {
    match verdict {
        Verdict::Failed(failure) => failed(failure, String::new()),
        Verdict::ExpectedFailure { failure, tracker } => failed(failure, tracker.clone()),
        Verdict::UnexpectedPass { tracker } => (
            vec![fact(
                "seen",
                "it passed: if the bug is mended, drop the expectation",
            )],
            vec![],
            tracker.clone(),
        ),
        Verdict::TimedOut {
            phase,
            waited_ms,
            last,
        } => (
            vec![
                fact("waited for", phase),
                fact("waited", &text::millis(*waited_ms)),
                fact("last seen", last),
            ],
            vec![],
            String::new(),
        ),
        Verdict::Infrastructure { error } => (
            vec![
                fact("error", error),
                fact(
                    "meaning",
                    "the lab itself failed; this says nothing about the claim",
                ),
            ],
            vec![],
            String::new(),
        ),
        Verdict::Flaky {
            passed,
            runs,
            others,
        } => (
            vec![fact("seen", &format!("{passed} of {runs} runs passed"))],
            others.clone(),
            String::new(),
        ),
        Verdict::Unstable { .. } => {
            let essence = crate::report::text::essence(verdict);
            (vec![fact("seen", &essence)], vec![], String::new())
        }
        Verdict::Skipped { why } => (vec![fact("why", why)], vec![], String::new()),
        Verdict::Passed | Verdict::Interrupted => (vec![], vec![], String::new()),
    }
}

fn failed(failure: &Failure, tracker: String) -> (Vec<PageFact>, Vec<String>, String) {
    let mut facts = vec![
        fact("assertion", &failure.assertion),
        fact("expected", &failure.expected),
        fact("seen", &failure.seen),
    ];
    if let Some(hop) = failure.hop {
        facts.push(fact("broken hop", &hop.to_string()));
    }
    (facts, failure.lines.clone(), tracker)
}
