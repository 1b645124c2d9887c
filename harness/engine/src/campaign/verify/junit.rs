//! A comparison as JUnit's XML: a case is a scenario on both sides.

use std::collections::BTreeMap;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{Compared, Comparison, Effect, text};
use crate::util::text::printable;

/// `comparison` as XML. What is broken or flaky is a failure, what the lab is to blame for an error.
/// A change without an effect fails no case: there, the exit code and [`super::Overall`] speak.
///
/// # Errors
/// None that a [`Comparison`] can cause.
pub fn render(comparison: &Comparison) -> Result<String, quick_junit::SerializeError> {
    let mut report = Report::new("spawnlab verify");
    let mut areas: BTreeMap<&str, Vec<&Compared>> = BTreeMap::new();
    for compared in &comparison.scenarios {
        areas
            .entry(split(&compared.name).0)
            .or_default()
            .push(compared);
    }
    for (area, scenarios) in areas {
        let mut suite = suite(comparison, area);
        for compared in scenarios {
            suite.add_test_case(case(compared));
        }
        report.add_test_suite(suite);
    }
    if let Some(error) = &comparison.overall.error {
        // Without a case, a comparison that came to nothing would look like one with nothing to do.
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status
            .set_message(printable(error))
            .set_type("infrastructure");
        let mut suite = suite(comparison, "lab");
        suite.add_test_case(TestCase::new("preparation", status));
        report.add_test_suite(suite);
    }
    report.to_string()
}

fn suite(comparison: &Comparison, area: &str) -> TestSuite {
    let mut suite = TestSuite::new(area);
    for (name, side) in [("base", &comparison.base), ("change", &comparison.change)] {
        suite.add_property((name, text::variables(side).as_str()));
    }
    suite.add_property(("overall", comparison.overall.sentence.as_str()));
    suite
}

fn case(compared: &Compared) -> TestCase {
    let (area, name) = split(&compared.name);
    let word = compared.effect.word();
    let told = || {
        let lines = text::evidence(compared).join("\n");
        printable(&lines)
    };
    let mut status = match &compared.effect {
        Effect::Fixed | Effect::StillWorks => TestCaseStatus::success(),
        // It did not pass, and the change is not to blame.
        Effect::StillFails => TestCaseStatus::skipped(),
        Effect::Skipped { .. } => TestCaseStatus::skipped(),
        Effect::Broken | Effect::Flaky => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Effect::Undecided { .. } => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    let message = match &compared.effect {
        Effect::Skipped { why } | Effect::Undecided { why } => format!("{word}: {why}"),
        _ => word.to_owned(),
    };
    if !matches!(compared.effect, Effect::Fixed | Effect::StillWorks) {
        status.set_message(printable(&message)).set_type(word);
    }
    if matches!(
        compared.effect,
        Effect::Broken | Effect::Flaky | Effect::Undecided { .. }
    ) {
        status.set_description(told());
    }
    let mut case = TestCase::new(name, status);
    case.set_classname(area);
    let told = if compared.effect == Effect::Fixed {
        told()
    } else {
        String::new()
    };
    case.set_system_out(format!("{word}: {}\n{told}\n", compared.claim));
    case
}

fn split(name: &str) -> (&str, &str) {
    name.split_once("::").unwrap_or(("other", name))
}
