//! What a run of a comparison saw on its host, read back from its evidence folder.

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use crate::{
    diagnose::{self, Step},
    run::attempt,
    verdict::{Verdict, event::Record},
};

/// What was seen on a host after its scenario.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// The chain, hop by hop.
    #[serde(rename = "walk")]
    pub diagnosis: Vec<Step>,
    /// What the script of an [`attempt::Observation`] printed: counters, links, leases.
    pub facts: Vec<String>,
}

impl Observed {
    /// What was seen in the one of `records` that says most: the first that did not pass, else the first.
    /// What can't be read is left out, as evidence that could not be collected is.
    #[must_use]
    pub fn of(report_dir: &Utf8Path, records: &[Record]) -> Self {
        let red = |record: &&Record| record.verdict != Verdict::Passed;
        let Some(record) = records.iter().find(red).or_else(|| records.first()) else {
            return Self::default();
        };
        let dir = report_dir.join(&record.evidence);
        let diagnosis = fs_err::read(dir.join(diagnose::FILE)).ok();
        let facts = fs_err::read_to_string(dir.join(attempt::SIDE)).unwrap_or_default();
        Self {
            diagnosis: diagnosis
                .and_then(|text| serde_json::from_slice(&text).ok())
                .unwrap_or_default(),
            facts: facts.lines().map(str::to_owned).collect(),
        }
    }
}
