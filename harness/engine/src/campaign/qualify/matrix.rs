//! A matrix as data: which values each dimension has, what is left out and why, and which scenarios
//! run in which cases.
//!
//! ```toml
//! image = ["trixie", "bookworm"]             # a dimension with its values, the default first
//! firewall = ["off", "nixos"]
//!
//! [[exclude]]                                # cases that can't be had
//! when = { image = "bookworm", firewall = ["nixos", "nftables:*"] }   # all have to hold
//! why = "its kernel has no such thing"
//!
//! [[suite]]                                  # the first that holds says what runs in a case
//! when = { image = "trixie" }
//! scenarios = []                             # filters as on the command line; none: all
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{campaign::case::Case, util::pattern};

/// A matrix that was found sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matrix {
    /// The dimensions, in the order in which cases name them.
    pub dimensions: Vec<Dimension>,
    /// What is left out.
    pub excludes: Vec<Exclude>,
    suites: Vec<Suite>,
}

/// One dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dimension {
    /// Its name.
    pub name: String,
    /// Its values, at least one, the default first.
    pub values: Vec<String>,
}

/// Cases that are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exclude {
    /// Which: all have to hold. `*` in a value stands for anything.
    pub when: BTreeMap<String, OneOf>,
    /// Why, for the report.
    pub why: String,
}

/// A value, or any of several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOf {
    /// This one.
    Value(String),
    /// Any of these.
    Values(Vec<String>),
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Suite {
    #[serde(default)]
    when: BTreeMap<String, OneOf>,
    scenarios: Vec<String>,
}

/// The most cases that a full product may have: beyond it, a matrix is a slip.
const MOST: usize = 20_000;

impl Matrix {
    /// Reads `text`; `known` are the dimensions that there can be, in the order in which cases are
    /// to name them.
    ///
    /// # Errors
    /// A message for the user: what is no TOML, which dimension or value is wrong.
    pub fn read(text: &str, known: &[&str]) -> Result<Self, String> {
        let mut table: toml::Table = toml::from_str(text).map_err(|error| error.to_string())?;
        let excludes: Vec<Exclude> = rows(&mut table, "exclude")?;
        let suites: Vec<Suite> = rows(&mut table, "suite")?;
        let mut dimensions = vec![];
        for name in known {
            if let Some(value) = table.remove(*name) {
                dimensions.push(Dimension::read(name, value)?);
            }
        }
        if let Some(name) = table.keys().next() {
            return Err(format!(
                "there is no dimension {name:?}; there are {}",
                known.join(", ")
            ));
        }
        if dimensions.is_empty() {
            return Err(format!(
                "it has no dimension; there are {}",
                known.join(", ")
            ));
        }
        let matrix = Self {
            dimensions,
            excludes,
            suites,
        };
        let excludes = matrix.excludes.iter().map(|one| ("exclude", &one.when));
        let suites = matrix.suites.iter().map(|one| ("suite", &one.when));
        for (what, when) in excludes.chain(suites) {
            matrix.check(when).map_err(|why| format!("{what}: {why}"))?;
        }
        let product = matrix.dimensions.iter().try_fold(1_usize, |cases, one| {
            cases
                .checked_mul(one.values.len())
                .filter(|cases| *cases <= MOST)
        });
        match product {
            None => Err(format!("it has more than {MOST} cases; leave values out")),
            Some(_) => Ok(matrix),
        }
    }

    /// Every case that is not left out, in the order of the values.
    #[must_use]
    pub fn product(&self) -> Vec<Case> {
        let mut cases = vec![Case(vec![])];
        for dimension in &self.dimensions {
            let longer = |case: &Case| {
                let case = case.0.clone();
                dimension.values.iter().map(move |value| {
                    let mut case = case.clone();
                    case.push((dimension.name.clone(), value.clone()));
                    Case(case)
                })
            };
            cases = cases.iter().flat_map(longer).collect();
        }
        cases.retain(|case| self.excluded(case).is_none());
        cases
    }

    /// What leaves `case` out, if anything does.
    #[must_use]
    pub fn excluded(&self, case: &Case) -> Option<&Exclude> {
        self.excludes
            .iter()
            .find(|exclude| holds(case, &exclude.when))
    }

    /// The filters of what runs in `case`: none for everything.
    #[must_use]
    pub fn filters(&self, case: &Case) -> &[String] {
        let suite = self.suites.iter().find(|suite| holds(case, &suite.when));
        suite.map_or(&[], |suite| &suite.scenarios)
    }

    /// The filters of all suites, to be looked at before anything runs.
    pub fn all_filters(&self) -> impl Iterator<Item = &[String]> {
        self.suites.iter().map(|suite| suite.scenarios.as_slice())
    }

    /// A condition on nothing that there is would never hold, and nobody would notice.
    fn check(&self, when: &BTreeMap<String, OneOf>) -> Result<(), String> {
        for (name, values) in when {
            let dimension = self.dimensions.iter().find(|one| one.name == *name);
            let dimension = dimension.ok_or_else(|| {
                format!("its condition is on {name:?}, which the matrix does not vary")
            })?;
            for pattern in values.all() {
                let means = |value: &String| pattern::matches(pattern, value);
                if !dimension.values.iter().any(means) {
                    return Err(format!(
                        "{name} = {pattern:?} is no value of the matrix, which has {}",
                        dimension.values.join(", ")
                    ));
                }
            }
        }
        Ok(())
    }
}

fn rows<T: serde::de::DeserializeOwned>(
    table: &mut toml::Table,
    name: &str,
) -> Result<Vec<T>, String> {
    let Some(value) = table.remove(name) else {
        return Ok(vec![]);
    };
    value
        .try_into()
        .map_err(|error| format!("{name}: {}", error.message()))
}

impl Dimension {
    fn read(name: &str, value: toml::Value) -> Result<Self, String> {
        let values: Vec<String> = value
            .try_into()
            .map_err(|_| format!("{name} is no list of values, such as {name} = [\"a\", \"b\"]"))?;
        if values.is_empty() {
            return Err(format!("{name} has no value; leave the dimension out"));
        }
        for (position, value) in values.iter().enumerate() {
            if values[..position].contains(value) {
                return Err(format!("{name} has the value {value:?} twice"));
            }
            if value.is_empty() || value.contains([',', '*']) || value.contains(char::is_whitespace)
            {
                return Err(format!(
                    "{name} has the value {value:?}: names of cases allow neither blanks nor `,` nor `*` in it"
                ));
            }
        }
        Ok(Self {
            name: name.to_owned(),
            values,
        })
    }
}

impl OneOf {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[String] {
        match self {
            Self::Value(value) => std::slice::from_ref(value),
            Self::Values(values) => values,
        }
    }
}

/// Whether all of `when` hold for `case`.
fn holds(case: &Case, when: &BTreeMap<String, OneOf>) -> bool {
    when.iter().all(|(name, values)| {
        let value = case.value(name).unwrap_or_default();
        let means = |pattern: &String| pattern::matches(pattern, value);
        values.all().iter().any(means)
    })
}
