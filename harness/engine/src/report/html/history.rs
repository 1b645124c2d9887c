//! How long a scenario took before, and what came of it.

use std::fmt::Write;

use serde::Serialize;

use crate::{
    report::{run::Run, text},
    verdict::event::Record,
};

/// The most runs that are drawn, this one included.
const SHOWN: usize = 12;
/// How high the drawing is, and how wide a run of it, in its own units.
const HEIGHT: f64 = 16.0;
const STEP: f64 = 6.0;

/// A scenario against its earlier runs.
#[derive(Debug, Serialize)]
pub(super) struct History {
    /// What a passed run took in the middle; empty if there was none.
    typical: String,
    /// Whether this one took half as long again, and more than a moment.
    slower: bool,
    /// The runs, oldest first, this one last.
    runs: Vec<Past>,
    /// How wide the drawing is.
    width: String,
}

#[derive(Debug, Serialize)]
struct Past {
    /// The verdict's word.
    class: &'static str,
    title: String,
    x: String,
    y: String,
    height: String,
}

/// The history of `record`, a part of `run`; none if it has none.
pub(super) fn of(record: &Record, run: &Run, earlier: &[Run]) -> Option<History> {
    let before: Vec<(&str, &Record)> = earlier
        .iter()
        .filter(|other| comparable(other, run))
        .filter_map(|other| {
            let same = other.records.iter().find(|one| one.name == record.name)?;
            (same.verdict.word() != "skipped").then_some((other.started.as_str(), same))
        })
        .collect();
    if before.is_empty() || record.verdict.word() == "skipped" {
        return None;
    }
    let before = &before[before.len().saturating_sub(SHOWN - 1)..];
    let mut passed: Vec<u64> = before
        .iter()
        .filter(|(_, one)| one.verdict.word() == "passed")
        .map(|(_, one)| one.took_ms)
        .collect();
    passed.sort_unstable();
    let typical = passed.get(passed.len() / 2).copied();
    let all = before
        .iter()
        .copied()
        .chain([(run.started.as_str(), record)]);
    let longest = all.clone().map(|(_, one)| one.took_ms).max()?.max(1);
    let runs: Vec<Past> = all
        .enumerate()
        .map(|(number, (started, one))| past(number, started, one, longest))
        .collect();
    let mut width = String::new();
    #[expect(clippy::cast_precision_loss, reason = "there are twelve at most")]
    let _ = write!(width, "{:.0}", runs.len() as f64 * STEP);
    Some(History {
        typical: typical.map(text::millis).unwrap_or_default(),
        slower: typical.is_some_and(|typical| record.took_ms > typical + typical / 2 + 500),
        runs,
        width,
    })
}

#[expect(clippy::cast_precision_loss, reason = "it is a drawing")]
fn past(number: usize, started: &str, one: &Record, longest: u64) -> Past {
    let height = (one.took_ms as f64 / longest as f64 * HEIGHT).max(2.0);
    let date = started.get(..16).unwrap_or(started).replace('T', " ");
    Past {
        class: one.verdict.word(),
        title: format!(
            "{date}: {}, {}",
            one.verdict.word(),
            text::millis(one.took_ms)
        ),
        x: format!("{:.0}", number as f64 * STEP),
        y: format!("{:.1}", HEIGHT - height),
        height: format!("{height:.1}"),
    }
}

/// Whether times of the one say something of the other's: the same image under the same accelerator,
/// with the same variables.
fn comparable(one: &Run, other: &Run) -> bool {
    fn first(text: &str) -> &str {
        text.split(' ').next().unwrap_or_default()
    }
    let on = |run: &'_ Run| {
        let on = run.environment.clone().unwrap_or_default();
        (
            first(&on.image).to_owned(),
            first(&on.accelerator).to_owned(),
            on.variables,
        )
    };
    on(one) == on(other)
}
