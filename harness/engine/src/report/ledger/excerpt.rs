//! What a report carries of the ledger: `history.json` beside its `run.json`, for the page.
//!
//! | field | shape |
//! | --- | --- |
//! | `version` | number, 1 |
//! | `scenarios` | object: by `area::name`, before this run and in its case: `runs`, `failures`: numbers; `recent[]` as in the ledger |

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Ledger, Past, VERSION};
use crate::{util::layout, verdict::event::Environment};

/// The file's name in a report's folder.
pub const FILE: &str = "history.json";

/// What was known of some scenarios in one case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excerpt {
    version: u32,
    /// By `area::name`.
    pub scenarios: BTreeMap<String, Earlier>,
}

/// The runs of a scenario before this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    /// How many there were.
    pub runs: u64,
    /// How many of them failed.
    pub failures: u64,
    /// The newest of them, the last one last.
    pub recent: Vec<Past>,
}

impl Ledger {
    /// What is known of the scenarios `names` on `environment`; none if nothing is.
    #[must_use]
    pub fn excerpt(&self, names: &[String], environment: &Environment) -> Option<Excerpt> {
        let earlier = |name: &String| {
            let entry = self.entry(name, environment)?;
            let earlier = Earlier {
                runs: entry.runs,
                failures: entry.failures,
                recent: entry.recent.iter().cloned().collect(),
            };
            Some((name.clone(), earlier))
        };
        let scenarios: BTreeMap<_, _> = names.iter().filter_map(earlier).collect();
        (!scenarios.is_empty()).then_some(Excerpt {
            version: VERSION,
            scenarios,
        })
    }
}

impl Excerpt {
    /// Its file's text.
    ///
    /// # Errors
    /// None that its types can cause.
    pub fn render(&self) -> serde_json::Result<String> {
        layout::render(self)
    }

    /// The scenarios in `text`; none if it is no such file: a page does without.
    #[must_use]
    pub(crate) fn read(text: &str) -> BTreeMap<String, Earlier> {
        let read: Result<Self, String> = layout::read(text, VERSION, "history");
        read.map(|excerpt| excerpt.scenarios).unwrap_or_default()
    }
}
