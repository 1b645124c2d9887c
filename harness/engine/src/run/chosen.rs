//! Scenarios that were chosen, by themselves or under a saboteur.

use crate::scenario::{Saboteur, Scenario};

/// A scenario that was chosen, under a saboteur where it is to be proved.
#[derive(Debug, Clone, Copy)]
pub struct Chosen {
    /// The scenario.
    pub scenario: &'static Scenario,
    /// The change under which it has to fail.
    pub saboteur: Option<&'static Saboteur>,
    /// The scenario that has to stay green under that change; none only if nothing is called so.
    pub spared: Option<&'static Scenario>,
}

impl Chosen {
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

/// All of `scenarios`, as `spawnlab run` takes them.
#[must_use]
pub fn each(scenarios: &[&'static Scenario]) -> Vec<Chosen> {
    let chosen = |scenario: &&'static Scenario| Chosen {
        scenario,
        saboteur: None,
        spared: None,
    };
    scenarios.iter().map(chosen).collect()
}

/// All of `scenarios` with each of their saboteurs, as `spawnlab prove` takes them.
#[must_use]
pub fn each_sabotaged(scenarios: &[&'static Scenario]) -> Vec<Chosen> {
    let called = |name: &str| {
        let mut all = scenarios.iter().copied();
        all.find(|scenario| scenario.full_name() == name)
    };
    let mut chosen = vec![];
    for scenario in scenarios {
        for saboteur in scenario.saboteurs {
            chosen.push(Chosen {
                scenario,
                saboteur: Some(saboteur),
                spared: called(saboteur.spares),
            });
        }
    }
    chosen
}
