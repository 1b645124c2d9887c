//! Qualification of a release: a matrix of cases, each of them a run of scenarios, told on one page.
//!
//! Everything here is computed from a matrix, and from the records of runs; no VM is touched.
//!
//! `qualify.json` is a [`Qualification`]:
//!
//! | field | shape |
//! | --- | --- |
//! | `version` | number, 1; a reader refuses what it does not know |
//! | `started` | string, UTC, RFC 3339 |
//! | `request` | what was asked for, as in [`crate::report::json`], without scenarios; absent in reports of before it was kept |
//! | `plan` | of all shards: `spawnlab`: string; `cover`: `pairs` or `full`; `loops`: number; `cases[]`: `name`: string, `scenarios`: strings; `excluded[]`: `when`: object, `why`: string |
//! | `shard` | string such as `2/5`; absent for the whole |
//! | `cases[]` | `name`, `folder` (relative to this file): strings; `values`: object of strings; `environment`, `records` as in [`crate::report::json`], evidence relative to the folder; `took_ms`: number; `missing`: only if it is incomplete: `kind` is `infrastructure` (with `why`), `interrupted`, `not-run` or `no-report` |
//! | `interrupted` | boolean |
//! | `took_ms` | number; of merged shards the sum |

mod claims;
pub mod cover;
pub mod junit;
pub mod matrix;
pub mod merge;
mod overview;
mod page;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use crate::{
    campaign::case::Case,
    report::dir,
    util::layout,
    verdict::{
        Verdict,
        event::{self, Environment, Record, RunRequest},
    },
};
use cover::Cover;
use matrix::Exclude;
pub use page::page;

/// The layout of [`Qualification`] as it is written to `qualify.json`.
pub const VERSION: u32 = 1;

/// What a qualification runs, whoever runs which part of it. Reports with different plans can't be merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The lab's version.
    pub spawnlab: String,
    /// How much of the matrix is run.
    pub cover: Cover,
    /// How often scenarios that loop do so.
    #[serde(rename = "loops")]
    pub iterations: u32,
    /// Every case with the number of its scenarios, in the order in which reports show them.
    pub cases: Vec<Planned>,
    /// What the matrix leaves out.
    pub excluded: Vec<Exclude>,
}

/// A case that is to be run by somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Its name: [`Case::name`].
    pub name: String,
    /// The scenarios that are to run in it.
    pub scenarios: Vec<String>,
}

/// A qualification, or one shard of it: what `qualify.json` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Qualification {
    /// The layout: [`VERSION`].
    pub version: u32,
    /// When it began, in UTC, as RFC 3339.
    pub started: String,
    /// What was asked for, without filters and scenarios: for `qualify --failed`. Absent in reports of before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RunRequest>,
    /// What is run by all shards together.
    pub plan: Plan,
    /// Which shard this is, such as `2/5`; absent for the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<String>,
    /// The cases of this shard, in the order of the plan.
    pub cases: Vec<CaseReport>,
    /// Whether the user cut it short.
    pub interrupted: bool,
    /// All in all, in milliseconds; of merged shards the sum.
    pub took_ms: u64,
}

/// One case and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseReport {
    /// Its name: [`Case::name`].
    pub name: String,
    /// The values of the dimensions.
    pub values: BTreeMap<String, String>,
    /// The folder of its run, relative to the report's: `run.json` and the evidence are there.
    pub folder: Utf8PathBuf,
    /// What it ran on; absent until it is known.
    pub environment: Option<Environment>,
    /// The scenarios, in the order of the plan. Evidence is relative to [`CaseReport::folder`].
    pub records: Vec<Record>,
    /// Why it is not whole: what kept it from running, or from running to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
    /// All in all, in milliseconds.
    pub took_ms: u64,
}

/// Why a case is not whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "why")]
pub enum Missing {
    /// The lab failed before any scenario: no image, no layer.
    Infrastructure(String),
    /// The user cut it short.
    Interrupted,
    /// It has not begun.
    NotRun,
    /// No report of its shard was merged.
    NoReport,
}

impl Missing {
    /// A sentence for people.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Infrastructure(error) => format!("the lab failed: {error}"),
            Self::Interrupted => "interrupted while it ran".into(),
            Self::NotRun => "it has not begun".into(),
            Self::NoReport => "no report of its shard was merged".into(),
        }
    }
}

/// What a case, or all of them, come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaseOutcome {
    /// Nothing in it was other than expected.
    AsExpected,
    /// A scenario failed, was flaky, timed out, or passed although it should not.
    Failed,
    /// Something was not run, and nothing failed.
    Incomplete,
    /// The user cut it short.
    Interrupted,
}

impl CaseReport {
    /// The case of `cell`, of which nothing is known yet.
    #[must_use]
    pub fn new(cell: &Case) -> Self {
        Self {
            name: cell.name(),
            values: cell.0.iter().cloned().collect(),
            folder: folder(&cell.name()),
            environment: None,
            records: vec![],
            missing: Some(Missing::NotRun),
            took_ms: 0,
        }
    }

    /// How many of each verdict, by [`Verdict::word`].
    #[must_use]
    pub fn counts(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for record in &self.records {
            *counts.entry(record.verdict.word()).or_default() += 1;
        }
        counts
    }

    /// What it comes to. A scenario that failed is a finding, whatever the lab failed at besides.
    #[must_use]
    pub fn outcome(&self) -> CaseOutcome {
        let failed = |record: &Record| is_finding(&record.verdict);
        if self.records.iter().any(failed) {
            return CaseOutcome::Failed;
        }
        match &self.missing {
            Some(Missing::Interrupted) => CaseOutcome::Interrupted,
            Some(_) => CaseOutcome::Incomplete,
            None if self
                .records
                .iter()
                .all(|record| record.verdict.is_expected()) =>
            {
                CaseOutcome::AsExpected
            }
            None => CaseOutcome::Incomplete,
        }
    }
}

impl Qualification {
    /// One that begins now, of which nothing is known yet; `cells` are the cases of this shard.
    #[must_use]
    pub fn begun<'a>(
        plan: Plan,
        shard: Option<String>,
        cells: impl Iterator<Item = &'a Case>,
    ) -> Self {
        Self {
            version: VERSION,
            started: jiff::Timestamp::now().to_string(),
            request: None,
            plan,
            shard,
            cases: cells.map(CaseReport::new).collect(),
            interrupted: false,
            took_ms: 0,
        }
    }

    /// The cases with scenarios that are still to come out as expected, and the names of those: what did not, and what never
    /// ran to its end.
    #[must_use]
    pub fn unfinished(&self) -> Vec<(String, Vec<String>)> {
        let planned = |name: &str| {
            let found = self.plan.cases.iter().find(|case| case.name == name);
            found.map_or(&[][..], |case| case.scenarios.as_slice())
        };
        let of_case = |case: &CaseReport| {
            let names = event::unfinished(&case.records, planned(&case.name));
            let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
            (!names.is_empty()).then(|| (case.name.clone(), names))
        };
        self.cases.iter().filter_map(of_case).collect()
    }

    /// What all cases come to together. One that was cut short says nothing of what it left out,
    /// whatever came before.
    #[must_use]
    pub fn outcome(&self) -> CaseOutcome {
        let any = |wanted: CaseOutcome| self.cases.iter().any(|case| case.outcome() == wanted);
        if self.interrupted {
            CaseOutcome::Interrupted
        } else if any(CaseOutcome::Failed) {
            CaseOutcome::Failed
        } else if any(CaseOutcome::Incomplete) || any(CaseOutcome::Interrupted) {
            CaseOutcome::Incomplete
        } else {
            CaseOutcome::AsExpected
        }
    }
}

/// Whether a verdict says something of the system under test that was not expected.
fn is_finding(verdict: &Verdict) -> bool {
    matches!(
        verdict,
        Verdict::Failed(_)
            | Verdict::Flaky { .. }
            | Verdict::TimedOut { .. }
            | Verdict::UnexpectedPass { .. }
    )
}

/// Where the run of the case `name` is, below the report's folder. Names that only differ in what no
/// store of build results takes in a file's name are told apart by their hash.
#[must_use]
pub fn folder(name: &str) -> Utf8PathBuf {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._=,+-".contains(c);
    let mut clean: String = name
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .take(150)
        .collect();
    if clean != name {
        clean = format!(
            "{clean}-{}",
            &crate::util::digest::of([name.as_bytes()])[..8]
        );
    }
    Utf8PathBuf::from(dir::CASES).join(clean)
}

/// `qualification` as the text of `qualify.json`.
///
/// # Errors
/// None that its types can cause.
pub fn render(qualification: &Qualification) -> serde_json::Result<String> {
    layout::render(qualification)
}

/// The qualification that `text` describes.
///
/// # Errors
/// A text for the user, if it is no such file or one of another version.
pub fn read(text: &str) -> Result<Qualification, String> {
    layout::read(text, VERSION, "qualification")
}
