//! What a campaign runs: cases, each of them a combination of variables, and what came of scenarios in them.

use serde::{Deserialize, Serialize};

use crate::verdict::event::Record;

/// A side of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The side that the change is measured against.
    Base,
    /// The side with the change.
    Change,
}

impl Side {
    /// Both, in the order in which reports show them.
    pub const ALL: [Self; 2] = [Self::Base, Self::Change];

    /// Its name in reports, in evidence folders and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Change => "change",
        }
    }
}

/// One combination of variables (image, nixpkgs, guest, firewall, tool, host): a value for each that is
/// not left to its default, in the order in which its name has them.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Case(pub Vec<(String, String)>);

impl Case {
    /// `image=trixie,guest=sid`: what shards of a qualification go by, and `--case` takes.
    #[must_use]
    pub fn name(&self) -> String {
        let pairs = self.0.iter().map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join(",")
    }

    /// The case that [`Self::name`] named: no value holds a comma.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let pairs = name.split(',').filter_map(|pair| pair.split_once('='));
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self(pairs.map(owned).collect())
    }

    /// The value of the variable `name`.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        let pair = self.0.iter().find(|(known, _)| known == name);
        pair.map(|(_, value)| value.as_str())
    }
}

/// Which run of a scenario is meant in a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOfSide {
    /// `area::name`.
    pub scenario: String,
    /// The side on whose hosts it runs.
    pub side: Side,
    /// Which of the repeats it is, from 1.
    pub repeat: u32,
}

impl RunOfSide {
    /// `area::name.side.repeat`: what its record and its evidence folder are called.
    #[must_use]
    pub fn name(&self) -> String {
        let Self {
            scenario,
            side,
            repeat,
        } = self;
        format!("{scenario}.{}.{repeat}", side.name())
    }
}

/// The runs of a comparison, in the order in which they begin: for each scenario the sides by turns, so
/// that what changes with time hits both alike.
#[must_use]
pub fn interleaved<'a>(scenarios: impl Iterator<Item = &'a str>, repeat: u32) -> Vec<RunOfSide> {
    let mut runs = vec![];
    for scenario in scenarios {
        for number in 1..=repeat {
            runs.extend(Side::ALL.map(|side| RunOfSide {
                scenario: scenario.to_owned(),
                side,
                repeat: number,
            }));
        }
    }
    runs
}

/// What came of the runs that `run` and `side` mean, in the order of their repeats.
#[must_use]
pub fn of_side(records: &[(RunOfSide, Record)], scenario: &str, side: Side) -> Vec<Record> {
    records
        .iter()
        .filter(|(run, _)| run.scenario == scenario && run.side == side)
        .map(|(_, record)| record.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sides_take_turns() {
        let runs = interleaved(["a::b", "a::b.base"].into_iter(), 2);
        let names: Vec<String> = runs.iter().map(RunOfSide::name).collect();
        assert_eq!(
            names,
            [
                "a::b.base.1",
                "a::b.change.1",
                "a::b.base.2",
                "a::b.change.2",
                "a::b.base.base.1",
                "a::b.base.change.1",
                "a::b.base.base.2",
                "a::b.base.change.2"
            ]
        );
    }

    #[test]
    fn a_case_is_read_from_its_name() {
        let case = Case::named("image=trixie,firewall=nftables:nixos+rpfilter=loose");
        assert_eq!(
            case.value("firewall"),
            Some("nftables:nixos+rpfilter=loose")
        );
        assert_eq!(case.value("guest"), None);
        assert_eq!(Case::named(&case.name()), case);
    }
}
