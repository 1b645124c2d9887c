//! What came of scenarios over many runs: `ledger.json` in the cache.
//!
//! | field | shape |
//! | --- | --- |
//! | `version` | number, 1; a reader refuses what it does not know |
//! | `counted` | strings: when each run began that is in it, the last one counted last |
//! | `versions` | object: by the digest that entries name, an object of versions by program |
//! | `scenarios` | object: by `area::name`, an object of entries by case ([`case_of`]) |
//!
//! | of an entry | |
//! | --- | --- |
//! | `runs`, `failures` | numbers; a run with `--repeat 5` counts as five |
//! | `last` | string, UTC, RFC 3339: when its newest run began |
//! | `outcome` | `passed` or `failed`: what that one came to |
//! | `same` | number of runs in a row that came to it |
//! | `versions` | string: the digest of those of its newest run |
//! | `changed` | when `outcome` became what it is: `at`, `from`, `to`, `before` and `after` (digests of versions); absent if it never did |
//! | `unstable` | string, UTC: since when it comes out differently on the same inputs; absent if it does not |
//! | `inputs[]` | `digest`, `outcome`: what it came to last on inputs that it ran on lately |
//! | `recent[]` | `at`, `verdict`: strings; `took_ms`: number; the newest last |
//!
//! A failure is what the scenario came to, expected or not. What the lab spoiled, what was interrupted and what
//! was skipped is not in it.

mod entry;
pub mod excerpt;
mod store;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

pub use entry::{CLEAN, Changed, Ending, LedgerEntry, Past};
pub use store::{FILE, read, update};

use crate::{
    report::run::Run,
    util::{digest, layout},
    verdict::event::Environment,
};
use entry::SeenRecord;

/// The layout of [`Ledger`] as it is written.
pub const VERSION: u32 = 1;

/// How many runs are known by the time they began, so that none is counted twice.
const RUNS: usize = 1_000;
/// How many entries there may be; those whose newest run is the oldest go first.
const ENTRIES: usize = 2_000;

/// What came of scenarios over many runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    version: u32,
    counted: VecDeque<String>,
    versions: BTreeMap<String, BTreeMap<String, String>>,
    scenarios: BTreeMap<String, BTreeMap<String, LedgerEntry>>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            version: VERSION,
            counted: VecDeque::new(),
            versions: BTreeMap::new(),
            scenarios: BTreeMap::new(),
        }
    }
}

/// What a scenario ran on, as people name it: the image, the accelerator, the guests' suite, what the user chose,
/// and the tool, unless it is the lab's own.
#[must_use]
pub fn case_of(environment: &Environment) -> String {
    let mut facts = environment.facts();
    let mut take = |name: &str| facts.remove(name).unwrap_or_default();
    let mut case = format!("{} {}", take("image"), take("accelerator"));
    let guest = take("guest");
    if !guest.is_empty() {
        case += &format!(" guest={guest}");
    }
    for (name, value) in &environment.variables {
        case += &format!(" {name}={value}");
    }
    let tool = environment.tool.split(' ').next().unwrap_or_default();
    let tool = tool.rsplit('/').next().unwrap_or_default();
    if !tool.is_empty() && tool != "nixos-deploy-container" {
        case += &format!(" tool={tool}");
    }
    case
}

impl Ledger {
    /// The ledger that `text` describes.
    ///
    /// # Errors
    /// A text for the user, if it is no such file or one of another version.
    pub fn parse(text: &str) -> Result<Self, String> {
        layout::read(text, VERSION, "ledger")
    }

    /// The text of its file.
    ///
    /// # Errors
    /// None that its types can cause.
    pub fn render(&self) -> serde_json::Result<String> {
        layout::render(self)
    }

    /// Counts `run`, unless it is in here already; returns whether it was counted.
    pub fn note(&mut self, run: &Run) -> bool {
        let Some(environment) = &run.environment else {
            return false;
        };
        if self.counted.contains(&run.started) {
            return false;
        }
        self.counted.push_back(run.started.clone());
        let surplus = self.counted.len().saturating_sub(RUNS);
        self.counted.drain(..surplus);
        let text = serde_json::to_vec(&environment.versions).unwrap_or_default();
        let versions = digest::of([text.as_slice()])[..16].to_owned();
        self.versions
            .insert(versions.clone(), environment.versions.clone());
        let (case, repeat) = (
            case_of(environment),
            run.request.as_ref().map_or(1, |one| one.repeat),
        );
        for record in &run.records {
            let at = record.started.as_ref().unwrap_or(&run.started);
            let Some(seen) = SeenRecord::of(record, repeat) else {
                continue;
            };
            let entries = self.scenarios.entry(record.name.clone()).or_default();
            let entry = entries.entry(case.clone()).or_default();
            entry.note(&seen, at, (environment.inputs.as_deref(), &versions));
        }
        self.bound();
        true
    }

    /// What is known of the scenario `name` on `environment`.
    #[must_use]
    pub fn entry(&self, name: &str, environment: &Environment) -> Option<&LedgerEntry> {
        self.scenarios.get(name)?.get(&case_of(environment))
    }

    /// The names of all scenarios, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.scenarios.keys().cloned().collect()
    }

    /// What is known of the scenario `name`, by case.
    pub fn cases(&self, name: &str) -> impl Iterator<Item = (&str, &LedgerEntry)> {
        let cases = self.scenarios.get(name).into_iter().flatten();
        cases.map(|(case, entry)| (case.as_str(), entry))
    }

    /// What differs between the versions before and after `changed`: program, version before, version after.
    #[must_use]
    pub fn differences<'l>(&'l self, changed: &Changed) -> Vec<(&'l str, &'l str, &'l str)> {
        let (Some(before), Some(after)) = (
            self.versions.get(&changed.before),
            self.versions.get(&changed.after),
        ) else {
            return vec![];
        };
        let programs: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let of = |versions: &'l BTreeMap<String, String>, program| {
            versions.get(program).map_or("none", String::as_str)
        };
        programs
            .into_iter()
            .map(|program| (program.as_str(), of(before, program), of(after, program)))
            .filter(|(_, before, after)| before != after)
            .collect()
    }

    fn bound(&mut self) {
        let all = self.scenarios.values().map(BTreeMap::len).sum::<usize>();
        let mut ages: Vec<(String, String, String)> = vec![];
        if all > ENTRIES {
            for (name, cases) in &self.scenarios {
                let age = |(case, entry): (&String, &LedgerEntry)| {
                    (entry.last.clone(), name.clone(), case.clone())
                };
                ages.extend(cases.iter().map(age));
            }
            ages.sort_unstable();
        }
        for (_, name, case) in ages.iter().take(all.saturating_sub(ENTRIES)) {
            if let Some(cases) = self.scenarios.get_mut(name) {
                cases.remove(case);
            }
        }
        self.scenarios.retain(|_, cases| !cases.is_empty());
        let entries = self.scenarios.values().flat_map(BTreeMap::values);
        let used: BTreeSet<&str> = entries.flat_map(LedgerEntry::versions_named).collect();
        self.versions
            .retain(|digest, _| used.contains(digest.as_str()));
    }
}
