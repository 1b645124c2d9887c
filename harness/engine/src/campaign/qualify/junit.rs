//! A qualification as JUnit's XML: a suite is a case, a case is a scenario.

use quick_junit::SerializeError;

use super::{CaseReport, Qualification};
use crate::report::junit::{self, JunitCase, JunitSuite};

/// `qualification` as XML. A case that is incomplete holds an error, so that it is not taken for one
/// with little to do.
///
/// # Errors
/// None that a [`Qualification`] can cause.
pub fn render(qualification: &Qualification) -> Result<String, SerializeError> {
    let suites = qualification.cases.iter().map(suite).collect();
    junit::write("spawnlab qualify", Some(qualification.took_ms), suites)
}

fn suite(case: &CaseReport) -> JunitSuite {
    let environment = case.environment.iter();
    let scenarios = case.records.iter().map(|record| {
        let mut record = record.clone();
        record.evidence = case.folder.join(&record.evidence);
        JunitCase::of(&record)
    });
    let missing = case
        .missing
        .as_ref()
        .map(|missing| JunitCase::error("the whole case", "incomplete", &missing.sentence()));
    JunitSuite {
        name: case.name.clone(),
        properties: environment.flat_map(junit::properties).collect(),
        took_ms: Some(case.took_ms),
        cases: scenarios.chain(missing).collect(),
    }
}
