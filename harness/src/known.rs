//! Known bugs as data: which scenarios fail because of which report, on which versions, until when.
//!
//! ```toml
//! [[known]]
//! scenarios = "names::sibling_*"               # a full name; `*` stands for anything
//! tracker = "https://example.org/issues/1"     # where the bug is tracked
//! when = ["systemd < 258", "nix >= 2.24"]      # all have to hold; left out: always
//! until = "2027-03-31"                         # the last day on which the row counts
//! ```

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Deserialize;

use crate::verdict::Verdict;

/// A list of known bugs that was found sound.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known(Vec<Row>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    scenarios: String,
    tracker: String,
    when: Vec<Condition>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    program: String,
    operator: String,
    version: Vec<u64>,
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
    scenarios: String,
    tracker: String,
    #[serde(default)]
    when: Vec<String>,
    until: String,
}

const OPERATORS: [&str; 5] = ["<", "<=", ">", ">=", "="];

/// The programs whose versions an image states.
const PROGRAMS: [&str; 3] = ["systemd", "nix", "kernel"];

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

    /// What `verdict` of the scenario `name` is with what is known; `versions` are those of
    /// [`crate::event::Environment`].
    ///
    /// Only a failed assertion can be expected: a wait that was in vain, or a flaky scenario, may be
    /// something else than the bug.
    #[must_use]
    pub fn judge(
        &self,
        name: &str,
        versions: &BTreeMap<String, String>,
        verdict: Verdict,
    ) -> Verdict {
        let row = self.0.iter().find(|row| {
            matches(&row.scenarios, name) && row.when.iter().all(|one| one.holds(versions))
        });
        match (row, verdict) {
            (Some(row), Verdict::Failed(failure)) => Verdict::ExpectedFailure {
                tracker: row.tracker.clone(),
                failure,
            },
            (Some(row), Verdict::Passed) => Verdict::UnexpectedPass {
                tracker: row.tracker.clone(),
            },
            (_, verdict) => verdict,
        }
    }
}

impl Row {
    fn checked(row: RawRow, names: &[String], today: Date) -> Result<Self, String> {
        let RawRow {
            scenarios,
            tracker,
            when,
            until,
        } = row;
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
        if !names.iter().any(|name| matches(&scenarios, name)) {
            return Err(format!(
                "{scenarios}: no scenario is called so; `spawnlab list` shows all names"
            ));
        }
        let when = when
            .iter()
            .map(|text| Condition::read(text).map_err(|why| format!("{scenarios}: {why}")))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            scenarios,
            tracker,
            when,
        })
    }
}

impl Condition {
    fn read(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            [program, operator, version]
                if PROGRAMS.contains(program)
                    && OPERATORS.contains(operator)
                    && !numbers(version).is_empty() =>
            {
                Ok(Self {
                    program: (*program).to_owned(),
                    operator: (*operator).to_owned(),
                    version: numbers(version),
                })
            }
            _ => Err(format!(
                "the condition {text:?} can't be read; write PROGRAM OPERATOR VERSION, such as `systemd < 258`, with one of {} and one of {}",
                PROGRAMS.join(", "),
                OPERATORS.join(" ")
            )),
        }
    }

    /// Compares as many numbers as the condition states: 257.13 is `= 257`, and not `> 257`.
    fn holds(&self, versions: &BTreeMap<String, String>) -> bool {
        let Some(found) = versions.get(&self.program).map(|text| numbers(text)) else {
            return false;
        };
        let mut found: Vec<u64> = found.into_iter().take(self.version.len()).collect();
        found.resize(self.version.len(), 0);
        match self.operator.as_str() {
            "<" => found < self.version,
            "<=" => found <= self.version,
            ">" => found > self.version,
            ">=" => found >= self.version,
            _ => found == self.version,
        }
    }
}

/// The numbers that `version` begins with: 257 and 13 of `257.13-1~deb13u1`.
fn numbers(version: &str) -> Vec<u64> {
    let end = version
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(version.len());
    version[..end]
        .split('.')
        .map_while(|number| number.parse().ok())
        .collect()
}

/// Whether `name` is what `pattern` says, where `*` stands for anything.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, tail)) => name.strip_prefix(head).is_some_and(|rest| {
            let places = rest.char_indices().map(|(place, _)| place);
            places
                .chain([rest.len()])
                .any(|place| matches(tail, &rest[place..]))
        }),
    }
}

#[cfg(test)]
#[path = "known_tests.rs"]
mod tests;
