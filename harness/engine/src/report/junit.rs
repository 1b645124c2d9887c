//! `junit.xml`: a run for CI systems. One suite per area; the environment is in its properties.

use std::collections::BTreeMap;

use camino::Utf8Path;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{
    run::Run,
    text::{self},
};
use crate::util::text::printable;
use crate::verdict::{
    Verdict,
    event::{Environment, Record},
};

/// `run` as JUnit's XML.
///
/// JUnit knows no expected failures: they are shown as skipped, with the tracker as the reason.
/// What the lab itself is to blame for is an `error`, what the system under test is, a `failure`.
///
/// # Errors
/// None that a [`Run`] can cause.
pub fn render(run: &Run) -> Result<String, quick_junit::SerializeError> {
    let mut report = Report::new("spawnlab");
    let mut areas: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
    for record in &run.records {
        areas.entry(split(&record.name).0).or_default().push(record);
    }
    for (area, records) in areas {
        let mut suite = suite(run, area);
        suite.set_time(millis(records.iter().map(|record| record.took_ms).sum()));
        for record in records {
            suite.add_test_case(case(record));
        }
        report.add_test_suite(suite);
    }
    if let Some(summary) = &run.summary {
        report.set_time(millis(summary.took_ms));
        if let Some(error) = &summary.error {
            // Without a case, a run that came to nothing would look like one with nothing to do.
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status
                .set_message(printable(error))
                .set_type("infrastructure");
            let mut suite = suite(run, "lab");
            suite.add_test_case(TestCase::new("preparation", status));
            report.add_test_suite(suite);
        }
    }
    report.to_string()
}

fn suite(run: &Run, area: &str) -> TestSuite {
    let mut suite = TestSuite::new(area);
    suite.add_property(("started", run.started.as_str()));
    if let Some(environment) = &run.environment {
        properties(&mut suite, environment);
    }
    suite
}

/// Says in `suite` what its cases ran on.
pub(crate) fn properties(suite: &mut TestSuite, environment: &Environment) {
    suite.add_property(("image", environment.image.as_str()));
    suite.add_property(("accelerator", environment.accelerator.as_str()));
    suite.add_property(("tool", environment.tool.as_str()));
    for (program, version) in &environment.versions {
        suite.add_property((format!("version.{program}").as_str(), version.as_str()));
    }
    for (name, value) in &environment.variables {
        suite.add_property((name.as_str(), value.as_str()));
    }
}

/// A scenario's record as a case.
pub(crate) fn case(record: &Record) -> TestCase {
    let (area, name) = split(&record.name);
    let mut case = TestCase::new(name, status(record));
    case.set_classname(area);
    case.set_time(millis(record.took_ms));
    case.set_system_out(format!(
        "claim: {}\nevidence: {}\n",
        record.claim, record.evidence
    ));
    case
}

fn status(record: &Record) -> TestCaseStatus {
    let verdict = &record.verdict;
    let (mut status, message) = match verdict {
        Verdict::Passed => return TestCaseStatus::success(),
        Verdict::Skipped { why } => (TestCaseStatus::skipped(), why.clone()),
        Verdict::ExpectedFailure { tracker, failure } => (
            TestCaseStatus::skipped(),
            format!("expected failure ({tracker}): {failure}"),
        ),
        Verdict::Failed(_)
        | Verdict::Flaky { .. }
        | Verdict::TimedOut { .. }
        | Verdict::UnexpectedPass { .. } => (
            TestCaseStatus::non_success(NonSuccessKind::Failure),
            text::essence(verdict),
        ),
        Verdict::Infrastructure { .. } | Verdict::Interrupted => (
            TestCaseStatus::non_success(NonSuccessKind::Error),
            text::essence(verdict),
        ),
    };
    status
        .set_message(printable(&message))
        .set_type(verdict.word());
    if !verdict.is_expected() {
        status.set_description(text::problem(record, Utf8Path::new("")));
    }
    status
}

fn split(name: &str) -> (&str, &str) {
    name.split_once("::").unwrap_or(("other", name))
}

fn millis(millis: u64) -> std::time::Duration {
    std::time::Duration::from_millis(millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{report::sample, verdict::event::Summary};

    #[test]
    fn every_verdict() {
        insta::assert_snapshot!(render(&sample::run()).expect("serialises"));
    }

    #[test]
    fn a_run_that_came_to_nothing_is_not_green() {
        let mut run = Run::new(sample::STARTED);
        run.summary = Some(Summary::broken(
            "image: debian/trixie: mmdebstrap ended with exit status 1",
            millis(700),
        ));
        let xml = render(&run).expect("serialises");
        assert!(xml.contains("errors=\"1\""), "{xml}");
        assert!(xml.contains("mmdebstrap"), "{xml}");
    }

    #[test]
    fn what_xml_cannot_hold_is_left_out() {
        let mut run = sample::run();
        run.records.truncate(1);
        run.records[0].verdict = Verdict::Infrastructure {
            error: "\u{1b}[31mred\u{0} <&\"> \u{8}".into(),
        };
        let xml = render(&run).expect("serialises");
        assert!(!xml.contains(['\u{1b}', '\u{0}', '\u{8}']), "{xml}");
        assert!(xml.contains("red"), "{xml}");
    }
}
