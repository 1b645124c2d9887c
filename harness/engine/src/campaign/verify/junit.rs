//! A comparison as JUnit's XML: a case is a scenario on both sides.

use quick_junit::SerializeError;

use super::{Compared, Comparison, Effect, evidence::evidence, page::variables};
use crate::{
    report::junit::{self, JunitCase, JunitStatus, JunitSuite, by_area},
    util::text::printable,
};

/// `comparison` as XML. What is broken or flaky is a failure, what the lab is to blame for an error.
/// A change without an effect fails no case: there, the exit code and [`super::Overall`] speak.
///
/// # Errors
/// None that a [`Comparison`] can cause.
pub fn render(comparison: &Comparison) -> Result<String, SerializeError> {
    let properties = vec![
        ("base".to_owned(), variables(&comparison.base)),
        ("change".to_owned(), variables(&comparison.change)),
        ("overall".to_owned(), comparison.overall.sentence.clone()),
    ];
    let areas = by_area(&comparison.scenarios, |compared| &compared.name);
    let suite = |(area, scenarios): (&str, Vec<&Compared>)| JunitSuite {
        name: area.to_owned(),
        properties: properties.clone(),
        took_ms: None,
        cases: scenarios.into_iter().map(case).collect(),
    };
    let mut suites: Vec<JunitSuite> = areas.into_iter().map(suite).collect();
    if let Some(error) = &comparison.overall.error {
        suites.push(JunitSuite::broken(properties, error));
    }
    junit::write("spawnlab verify", None, suites)
}

fn case(compared: &Compared) -> JunitCase {
    let word = compared.effect.word();
    let status = match &compared.effect {
        Effect::Fixed | Effect::StillWorks => JunitStatus::Success,
        // It did not pass, and the change is not to blame.
        Effect::StillFails | Effect::Skipped { .. } => JunitStatus::Skipped,
        Effect::Broken | Effect::Flaky => JunitStatus::Failure,
        Effect::Undecided { .. } => JunitStatus::Error,
    };
    let message = match &compared.effect {
        Effect::Skipped { why } | Effect::Undecided { why } => format!("{word}: {why}"),
        _ => match compared.known_for() {
            Some(known) => format!("{word}: {known}"),
            None => word.to_owned(),
        },
    };
    let told = match compared.effect.is_telling() {
        true => printable(&evidence(compared).join("\n")),
        false => String::new(),
    };
    let is_red = matches!(status, JunitStatus::Failure | JunitStatus::Error);
    let (description, below) = match is_red {
        true => (Some(told), String::new()),
        false => (None, told),
    };
    JunitCase {
        name: compared.name.clone(),
        status,
        word: word.to_owned(),
        message,
        description,
        took_ms: None,
        output: Some(format!("{word}: {}\n{below}\n", compared.claim)),
    }
}
