//! Base against change: what a change does, judged from the same scenarios on clones of both sides.
//!
//! Everything here is computed from records, and from what the runs left in their evidence folders; no VM
//! is touched.

mod compare;
mod evidence;
pub mod junit;
pub mod merge;
mod observed;
mod page;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

pub use compare::{compare, overall, trackers};
pub use observed::Observed;
pub use page::page;

use crate::{
    util::layout,
    verdict::{
        Verdict,
        event::{Environment, Record},
        hop::Hop,
    },
};

/// The layout of [`Comparison`] as it is written to `verify.json`.
pub const VERSION: u32 = 1;

/// A whole comparison: what `verify.json` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// The layout: [`VERSION`].
    pub version: u32,
    /// The side that the change is measured against.
    pub base: SideReport,
    /// The side with the change.
    pub change: SideReport,
    /// How often each scenario ran on each side.
    pub repeat: u32,
    /// What the runs of one side share and what they do not, a sentence each: what is shared was seen
    /// once, however often scenarios ran.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared: Vec<String>,
    /// Which shard this is, such as `2/5`; absent for the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<String>,
    /// The names of the scenarios of all shards together, in the order in which they were selected; none
    /// in a comparison without shards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub planned: Vec<String>,
    /// The scenarios of this shard, in the order in which they were selected.
    pub scenarios: Vec<Compared>,
    /// What it comes to.
    pub overall: Overall,
}

/// One side of a comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideReport {
    /// Its variables as they were given, such as `firewall=nixos`.
    pub variables: Vec<String>,
    /// What it ran on; absent if it came to nothing.
    pub environment: Option<Environment>,
}

/// What a change does to one scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "effect")]
pub enum Effect {
    /// It failed on the base each time and passes with the change each time.
    Fixed,
    /// It passed on the base each time and fails with the change each time.
    Broken,
    /// It passed each time on both sides.
    StillWorks,
    /// It failed each time on both sides.
    StillFails,
    /// A side did not come out the same each time.
    Flaky,
    /// It was not run, or not on both sides.
    Skipped {
        /// Why.
        why: String,
    },
    /// The lab failed, or the run was cut short: nothing can be said.
    Undecided {
        /// Why.
        why: String,
    },
}

impl Effect {
    /// The words that reports print.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Broken => "broken",
            Self::StillWorks => "still works",
            Self::StillFails => "still fails",
            Self::Flaky => "flaky",
            Self::Skipped { .. } => "skipped",
            Self::Undecided { .. } => "undecided",
        }
    }

    /// Whether a reader has to be told why.
    #[must_use]
    pub fn is_telling(&self) -> bool {
        matches!(
            self,
            Self::Fixed | Self::Broken | Self::Flaky | Self::Undecided { .. }
        )
    }
}

/// One scenario on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    /// `area::name`.
    pub name: String,
    /// The sentence that it proves.
    pub claim: String,
    /// What the change does to it.
    #[serde(flatten)]
    pub effect: Effect,
    /// The hops that are broken on one side and whole on the other, first to last.
    pub hops: Vec<Hop>,
    /// Of what still fails for known bugs, and for nothing else: the URLs of their reports. Else none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<String>,
    /// What came of it on the base.
    pub base: Runs,
    /// What came of it with the change.
    pub change: Runs,
    /// The command that compares just this again.
    pub again: String,
}

/// What came of one scenario on one side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runs {
    /// How many runs passed.
    pub passed: u32,
    /// Every run.
    pub records: Vec<Record>,
    /// What was seen on the host of one run: the first that did not pass, else the first.
    #[serde(rename = "looked")]
    pub observed: Observed,
}

impl Compared {
    /// What is said in brackets of what still fails for known bugs: their reports.
    fn known_for(&self) -> Option<String> {
        (!self.known.is_empty()).then(|| format!("known: {}", self.known.join(", ")))
    }
}

impl Runs {
    /// Of `records`, with what was seen in the evidence below `report_dir`.
    #[must_use]
    pub fn of(records: Vec<Record>, report_dir: &Utf8Path) -> Self {
        let passed = records
            .iter()
            .filter(|record| record.verdict == Verdict::Passed)
            .count();
        Self {
            passed: u32::try_from(passed).unwrap_or(u32::MAX),
            observed: Observed::of(report_dir, &records),
            records,
        }
    }
}

/// What a comparison comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overall {
    /// The one word.
    #[serde(rename = "word")]
    pub conclusion: Conclusion,
    /// The one line.
    pub sentence: String,
    /// How many scenarios of each effect, by [`Effect::word`].
    pub counts: BTreeMap<String, usize>,
    /// What kept the scenarios from being run at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What a comparison comes to, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conclusion {
    /// Something is fixed, and nothing is broken or flaky.
    DoesWhatItClaims,
    /// Nothing is fixed, and nothing is broken or flaky.
    NoEffect,
    /// Something is broken.
    Breaks,
    /// Nothing is broken for sure, but something is flaky.
    Flaky,
    /// The lab failed for some scenario, and nothing is broken or flaky.
    Undecided,
    /// No scenario ran on both sides.
    NothingCompared,
    /// The user cut it short.
    Interrupted,
}

/// `comparison` as the text of `verify.json`.
///
/// # Errors
/// None that its types can cause.
pub fn render(comparison: &Comparison) -> serde_json::Result<String> {
    layout::render(comparison)
}

/// The comparison that `text` describes.
///
/// # Errors
/// A text for the user, if it is no such file or one of another version.
pub fn read(text: &str) -> Result<Comparison, String> {
    layout::read(text, VERSION, "comparison")
}
