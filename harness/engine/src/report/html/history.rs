//! How long a scenario took before, and what came of it.

use std::fmt::Write;

use serde::Serialize;

use super::Sources;
use crate::{
    report::{ledger, run::Run, text},
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
    /// What the drawing says, in words.
    label: String,
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

/// A run as it is drawn.
#[derive(Debug, Clone, Copy)]
struct One<'a> {
    at: &'a str,
    word: &'static str,
    took_ms: u64,
}

/// The history of `record`: what the ledger knew of it, else what reports beside have; none if it has none.
pub(super) fn of(record: &Record, sources: &Sources) -> Option<History> {
    let known = sources.known.get(&record.name);
    let before: Vec<One<'_>> = match known {
        Some(known) => known.recent.iter().map(remembered).collect(),
        None => beside(record, sources),
    };
    if before.is_empty() || record.verdict.word() == "skipped" {
        return None;
    }
    let before = &before[before.len().saturating_sub(SHOWN - 1)..];
    let mut passed: Vec<u64> = before
        .iter()
        .filter(|one| one.word == "passed")
        .map(|one| one.took_ms)
        .collect();
    passed.sort_unstable();
    let typical = passed.get(passed.len() / 2).copied();
    let all = before.iter().copied().chain([One {
        at: &sources.run.started,
        word: record.verdict.word(),
        took_ms: record.took_ms,
    }]);
    let longest = all.clone().map(|one| one.took_ms).max()?.max(1);
    let runs: Vec<Past> = all
        .enumerate()
        .map(|(number, one)| past(number, one, longest))
        .collect();
    let mut width = String::new();
    #[expect(clippy::cast_precision_loss, reason = "there are twelve at most")]
    let _ = write!(width, "{:.0}", runs.len() as f64 * STEP);
    Some(History {
        label: known.map_or_else(
            || "earlier runs".to_owned(),
            |known| format!("{} of {} runs before failed", known.failures, known.runs),
        ),
        typical: typical.map(text::millis).unwrap_or_default(),
        slower: typical.is_some_and(|typical| record.took_ms > typical + typical / 2 + 500),
        runs,
        width,
    })
}

/// A run of the ledger. A file may say anything: what is no verdict is drawn as one that says nothing.
fn remembered(past: &ledger::Past) -> One<'_> {
    let word = text::WORDS.into_iter().find(|word| *word == past.verdict);
    One {
        at: &past.at,
        word: word.unwrap_or("skipped"),
        took_ms: past.took_ms,
    }
}

/// The runs of `record`'s scenario in reports beside, oldest first.
fn beside<'a>(record: &Record, sources: &'a Sources) -> Vec<One<'a>> {
    let comparable = sources
        .earlier
        .iter()
        .filter(|other| comparable(other, &sources.run));
    let one = |other: &'a Run| {
        let same = other.records.iter().find(|one| one.name == record.name)?;
        (same.verdict.word() != "skipped").then_some(One {
            at: &other.started,
            word: same.verdict.word(),
            took_ms: same.took_ms,
        })
    };
    comparable.filter_map(one).collect()
}

#[expect(clippy::cast_precision_loss, reason = "it is a drawing")]
fn past(number: usize, one: One<'_>, longest: u64) -> Past {
    let height = (one.took_ms as f64 / longest as f64 * HEIGHT).max(2.0);
    let date = one.at.get(..16).unwrap_or(one.at).replace('T', " ");
    Past {
        class: one.word,
        title: format!("{date}: {}, {}", one.word, text::millis(one.took_ms)),
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
