//! Known bugs as data: which scenarios fail because of which report, on which versions, until when.
//!
//! ```toml
//! [[known]]
//! scenarios = "names::sibling_*"               # a full name, or a list; `*` stands for anything
//! tracker = "https://example.org/issues/1"     # where the bug is tracked
//! assertion = "the sibling's address"          # where they fail; left out: anywhere
//! when = ["systemd < 258", "guest = trixie"]   # all have to hold; left out: always
//! until = "2027-03-31"                         # the last day on which the row counts
//! ```

mod condition;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Deserialize;

use crate::{util::pattern::matches, verdict::Verdict};
use condition::KnownCondition;

/// A list of known bugs that was found sound.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known(Vec<Row>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    scenarios: Vec<String>,
    assertion: Option<String>,
    tracker: String,
    when: Vec<KnownCondition>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    known: Vec<RawRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRow {
    scenarios: Scenarios,
    assertion: Option<String>,
    tracker: String,
    #[serde(default)]
    when: Vec<String>,
    until: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Scenarios {
    One(String),
    Some(Vec<String>),
}

/// Where a failure of a scenario is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedAt<'a> {
    /// At any of its assertions.
    Any,
    /// At the assertion of this name.
    Assertion(&'a str),
}

impl ExpectedAt<'_> {
    /// Whether a failure of `assertion` is expected.
    #[must_use]
    pub fn is(self, assertion: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Assertion(name) => name == assertion,
        }
    }
}

impl Known {
    /// Reads the rows of `text`; `names` are those of all scenarios.
    ///
    /// # Errors
    /// A message for the user: what is no TOML or no row, a condition that can't be read, a pattern
    /// that means no scenario, or a row that has expired by `today`.
    pub fn read(text: &str, names: &[String], today: Date) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        file.known
            .into_iter()
            .map(|row| Row::checked(row, names, today))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// [`Self::read`] as of today.
    ///
    /// # Errors
    /// Those of [`Self::read`].
    pub fn read_today(text: &str, names: &[String]) -> Result<Self, String> {
        Self::read(text, names, jiff::Zoned::now().date())
    }

    /// What `verdict` of the scenario `name` is with what is known; `facts` are what it ran on:
    /// [`crate::verdict::event::Environment::facts`].
    ///
    /// Only a failed assertion can be expected: a wait that was in vain, or a flaky scenario, may be
    /// something else than the bug. So may a failure of another assertion than the row names.
    #[must_use]
    pub fn judge(&self, name: &str, facts: &BTreeMap<String, String>, verdict: Verdict) -> Verdict {
        let mut rows = self.rows(name, facts);
        match verdict {
            Verdict::Failed(failure) => match rows.find(|row| row.at().is(&failure.assertion)) {
                Some(row) => Verdict::ExpectedFailure {
                    tracker: row.tracker.clone(),
                    failure,
                },
                None => Verdict::Failed(failure),
            },
            Verdict::Passed => match rows.next() {
                Some(row) => Verdict::UnexpectedPass {
                    tracker: row.tracker.clone(),
                },
                None => Verdict::Passed,
            },
            verdict => verdict,
        }
    }

    /// Where the scenario `name` is expected to fail on `facts`: nowhere, if the list is empty.
    #[must_use]
    pub fn expected(&self, name: &str, facts: &BTreeMap<String, String>) -> Vec<ExpectedAt<'_>> {
        self.rows(name, facts).map(Row::at).collect()
    }

    fn rows(&self, name: &str, facts: &BTreeMap<String, String>) -> impl Iterator<Item = &Row> {
        let counts = |row: &&Row| row.means(name) && row.when.iter().all(|one| one.holds(facts));
        self.0.iter().filter(counts)
    }
}

impl Row {
    fn means(&self, name: &str) -> bool {
        self.scenarios.iter().any(|pattern| matches(pattern, name))
    }

    fn at(&self) -> ExpectedAt<'_> {
        let assertion = self.assertion.as_deref();
        assertion.map_or(ExpectedAt::Any, ExpectedAt::Assertion)
    }

    fn checked(row: RawRow, names: &[String], today: Date) -> Result<Self, String> {
        let RawRow {
            scenarios,
            assertion,
            tracker,
            when,
            until,
        } = row;
        let patterns = match scenarios {
            Scenarios::One(pattern) => vec![pattern],
            Scenarios::Some(patterns) => patterns,
        };
        let scenarios = patterns.join(", ");
        if scenarios.is_empty() {
            return Err("a row names no scenario".into());
        }
        if !tracker.starts_with("https://") && !tracker.starts_with("http://") {
            return Err(format!(
                "{scenarios}: the tracker {tracker:?} is no URL; name the public report of the bug"
            ));
        }
        let last: Date = until.parse().map_err(|_| {
            format!("{scenarios}: until = {until:?} is no date; write it as 2027-03-31")
        })?;
        if last < today {
            return Err(format!(
                "{scenarios}: the row expired on {last}; look at {tracker}, then remove the row or move its date"
            ));
        }
        for pattern in &patterns {
            if !names.iter().any(|name| matches(pattern, name)) {
                return Err(format!(
                    "{pattern}: no scenario is called so; `spawnlab list` shows all names"
                ));
            }
        }
        let when = when
            .iter()
            .map(|text| KnownCondition::read(text).map_err(|why| format!("{scenarios}: {why}")))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            scenarios: patterns,
            assertion,
            tracker,
            when,
        })
    }
}
