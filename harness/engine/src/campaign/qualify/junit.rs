//! A qualification as JUnit's XML: a suite is a case, a case is a scenario.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{CaseReport, Qualification};
use crate::report::junit;
use crate::util::text::printable;

/// `qualification` as XML. A case that is incomplete holds an error, so that it is not taken for one
/// with little to do.
///
/// # Errors
/// None that a [`Qualification`] can cause.
pub fn render(qualification: &Qualification) -> Result<String, quick_junit::SerializeError> {
    let mut report = Report::new("spawnlab qualify");
    report.set_time(Duration::from_millis(qualification.took_ms));
    for case in &qualification.cases {
        report.add_test_suite(suite(case));
    }
    report.to_string()
}

fn suite(case: &CaseReport) -> TestSuite {
    let mut suite = TestSuite::new(case.name.as_str());
    suite.set_time(Duration::from_millis(case.took_ms));
    if let Some(environment) = &case.environment {
        junit::properties(&mut suite, environment);
    }
    for record in &case.records {
        let mut record = record.clone();
        record.evidence = case.folder.join(&record.evidence);
        suite.add_test_case(junit::case(&record));
    }
    if let Some(missing) = &case.missing {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status
            .set_message(printable(&missing.sentence()))
            .set_type("incomplete");
        suite.add_test_case(TestCase::new("the whole case", status));
    }
    suite
}
