//! Scenarios that were selected, by themselves or under a saboteur.

use crate::scenario::{Saboteur, Scenario};

/// A scenario that was selected, under a saboteur where it is to be proved.
#[derive(Debug, Clone, Copy)]
pub struct Selected {
    /// The scenario.
    pub scenario: &'static Scenario,
    /// The change under which it has to fail.
    pub saboteur: Option<&'static Saboteur>,
    /// The scenario that has to stay green under that change; none only if nothing is called so.
    pub spared: Option<&'static Scenario>,
}

impl Selected {
    /// `area::name`, with `+saboteur` behind it where there is one.
    #[must_use]
    pub fn full_name(&self) -> String {
        let name = self.scenario.full_name();
        match self.saboteur {
            Some(saboteur) => format!("{name}+{}", saboteur.name),
            None => name,
        }
    }
}

/// The full names of `scenarios`.
#[must_use]
pub fn names(scenarios: &[&'static Scenario]) -> Vec<String> {
    let names = scenarios.iter().map(|scenario| scenario.full_name());
    names.collect()
}

/// All of `scenarios`, as `spawnlab run` takes them.
#[must_use]
pub fn to_run(scenarios: &[&'static Scenario]) -> Vec<Selected> {
    let selected = |scenario: &&'static Scenario| Selected {
        scenario,
        saboteur: None,
        spared: None,
    };
    scenarios.iter().map(selected).collect()
}

/// All of `scenarios` with each of their saboteurs, as `spawnlab prove` takes them.
#[must_use]
pub fn to_prove(scenarios: &[&'static Scenario]) -> Vec<Selected> {
    let called = |name: &str| {
        let mut all = scenarios.iter().copied();
        all.find(|scenario| scenario.full_name() == name)
    };
    let mut all = vec![];
    for scenario in scenarios {
        for saboteur in scenario.saboteurs {
            all.push(Selected {
                scenario,
                saboteur: Some(saboteur),
                spared: called(saboteur.spares),
            });
        }
    }
    all
}
