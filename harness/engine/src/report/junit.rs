//! JUnit's XML for CI systems: the one writer, which `run`, `verify` and `qualify` feed; and `junit.xml` of
//! a run, with one suite per area and the environment in its properties.

use std::{collections::BTreeMap, time::Duration};

use camino::Utf8Path;
use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::{run::Run, text};
use crate::util::text::printable;
use crate::verdict::{
    Verdict,
    event::{Environment, Record},
};

/// A suite of a report.
#[derive(Debug, Clone, Default)]
pub(crate) struct JunitSuite {
    pub(crate) name: String,
    pub(crate) properties: Vec<(String, String)>,
    pub(crate) took_ms: Option<u64>,
    pub(crate) cases: Vec<JunitCase>,
}

/// A case of a suite.
#[derive(Debug, Clone)]
pub(crate) struct JunitCase {
    /// `area::name`, of which the area becomes the class.
    pub(crate) name: String,
    pub(crate) status: JunitStatus,
    /// The word for what is no success.
    pub(crate) word: String,
    pub(crate) message: String,
    pub(crate) description: Option<String>,
    pub(crate) took_ms: Option<u64>,
    pub(crate) output: Option<String>,
}

/// What became of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JunitStatus {
    Success,
    Skipped,
    /// The system under test is to blame.
    Failure,
    /// The lab is to blame.
    Error,
}

/// The report `name` of `suites`.
pub(crate) fn write(
    name: &str,
    took_ms: Option<u64>,
    suites: Vec<JunitSuite>,
) -> Result<String, SerializeError> {
    let mut report = Report::new(name);
    if let Some(took) = took_ms {
        report.set_time(Duration::from_millis(took));
    }
    report.add_test_suites(suites.into_iter().map(JunitSuite::xml));
    report.to_string()
}

/// `items` by the area of their names, in the order of the areas.
pub(crate) fn by_area<T>(items: &[T], name: fn(&T) -> &str) -> BTreeMap<&str, Vec<&T>> {
    let mut areas: BTreeMap<&str, Vec<&T>> = BTreeMap::new();
    for item in items {
        let area = name(item)
            .split_once("::")
            .map_or("other", |(area, _)| area);
        areas.entry(area).or_default().push(item);
    }
    areas
}

impl JunitSuite {
    /// The suite of what came to nothing because of `error`: without a case it would look like one with
    /// nothing to do.
    pub(crate) fn broken(properties: Vec<(String, String)>, error: &str) -> Self {
        Self {
            name: "lab".into(),
            properties,
            cases: vec![JunitCase::error("preparation", "infrastructure", error)],
            took_ms: None,
        }
    }

    fn xml(self) -> TestSuite {
        let mut suite = TestSuite::new(self.name);
        for (name, value) in &self.properties {
            suite.add_property((name.as_str(), value.as_str()));
        }
        if let Some(took) = self.took_ms {
            suite.set_time(Duration::from_millis(took));
        }
        suite.add_test_cases(self.cases.into_iter().map(JunitCase::xml));
        suite
    }
}

impl JunitCase {
    /// A case that is no scenario, for what the lab failed at.
    pub(crate) fn error(name: &str, word: &str, message: &str) -> Self {
        Self {
            name: name.to_owned(),
            status: JunitStatus::Error,
            word: word.to_owned(),
            message: message.to_owned(),
            description: None,
            took_ms: None,
            output: None,
        }
    }

    /// That of a scenario's `record`. JUnit knows no expected failures, and no passes that can't be relied on: they are shown
    /// as skipped, with the tracker or the counts as the reason.
    pub(crate) fn of(record: &Record) -> Self {
        let verdict = &record.verdict;
        let status = match verdict {
            Verdict::Passed => JunitStatus::Success,
            Verdict::Skipped { .. }
            | Verdict::ExpectedFailure { .. }
            | Verdict::Unstable { gates: false, .. } => JunitStatus::Skipped,
            Verdict::Infrastructure { .. } | Verdict::Interrupted => JunitStatus::Error,
            _ => JunitStatus::Failure,
        };
        let message = match verdict {
            Verdict::Skipped { why } => why.clone(),
            Verdict::ExpectedFailure { tracker, failure } => {
                format!("expected failure ({tracker}): {failure}")
            }
            Verdict::Unstable { .. } => format!("unstable: {}", text::essence(verdict)),
            verdict => text::essence(verdict),
        };
        let problem = || text::problem(record, Utf8Path::new(""));
        Self {
            name: record.name.clone(),
            status,
            word: verdict.word().to_owned(),
            message,
            description: (!verdict.is_expected()).then(problem),
            took_ms: Some(record.took_ms),
            output: Some(format!(
                "claim: {}\nevidence: {}\n",
                record.claim, record.evidence
            )),
        }
    }

    fn xml(self) -> TestCase {
        let mut status = match self.status {
            JunitStatus::Success => TestCaseStatus::success(),
            JunitStatus::Skipped => TestCaseStatus::skipped(),
            JunitStatus::Failure => TestCaseStatus::non_success(NonSuccessKind::Failure),
            JunitStatus::Error => TestCaseStatus::non_success(NonSuccessKind::Error),
        };
        if self.status != JunitStatus::Success {
            status
                .set_message(printable(&self.message))
                .set_type(self.word);
        }
        if let Some(description) = self.description {
            status.set_description(description);
        }
        let is_scenario = self.output.is_some();
        let (area, name) = self.name.split_once("::").unwrap_or(("other", &self.name));
        let mut case = TestCase::new(name, status);
        if is_scenario {
            case.set_classname(area);
        }
        if let Some(took) = self.took_ms {
            case.set_time(Duration::from_millis(took));
        }
        if let Some(output) = self.output {
            case.set_system_out(output);
        }
        case
    }
}

/// What cases ran on, as properties of their suite.
pub(crate) fn properties(environment: &Environment) -> Vec<(String, String)> {
    let own = |name: &str, value: &String| (name.to_owned(), value.clone());
    let mut properties = vec![
        own("image", &environment.image),
        own("accelerator", &environment.accelerator),
        own("tool", &environment.tool),
    ];
    let versions = environment.versions.iter();
    properties
        .extend(versions.map(|(program, version)| own(&format!("version.{program}"), version)));
    properties.extend(environment.variables.clone());
    properties
}

/// `run` as JUnit's XML.
///
/// # Errors
/// None that a [`Run`] can cause.
pub fn render(run: &Run) -> Result<String, SerializeError> {
    let mut properties = vec![("started".to_owned(), run.started.clone())];
    properties.extend(run.environment.iter().flat_map(self::properties));
    let areas = by_area(&run.records, |record| &record.name);
    let suite = |(area, records): (&str, Vec<&Record>)| JunitSuite {
        name: area.to_owned(),
        properties: properties.clone(),
        took_ms: Some(records.iter().map(|record| record.took_ms).sum()),
        cases: records.into_iter().map(JunitCase::of).collect(),
    };
    let mut suites: Vec<JunitSuite> = areas.into_iter().map(suite).collect();
    let summary = run.summary.as_ref();
    if let Some(error) = summary.and_then(|summary| summary.error.as_ref()) {
        suites.push(JunitSuite::broken(properties, error));
    }
    write("spawnlab", summary.map(|summary| summary.took_ms), suites)
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
            Duration::from_millis(700),
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
