//! Every scenario there is, in the order in which they are listed and run.

use spawnlab::scenario::Scenario;

/// The areas in the order in which they are listed. One that is not named here comes behind them.
const AREAS: [&str; 18] = [
    "networking",
    "names",
    "journal",
    "run",
    "status",
    "health",
    "restart",
    "deploy",
    "remote",
    "contract",
    "inside",
    "isolation",
    "firewall",
    "rpfilter",
    "uplink",
    "egress",
    "ports",
    "nixos",
];

/// All scenarios.
#[must_use]
pub fn scenarios() -> Vec<&'static Scenario> {
    let mut scenarios = spawnlab::scenarios!();
    let position = |area| AREAS.iter().position(|known| *known == area);
    scenarios.sort_by_key(|scenario| position(scenario.area).unwrap_or(AREAS.len()));
    scenarios
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::suite::suite;

    #[test]
    fn no_two_have_one_name() {
        let mut names = HashSet::new();
        for selected in suite().to_run().into_iter().chain(suite().to_prove()) {
            let name = selected.full_name();
            assert!(names.insert(name.clone()), "{name} is there twice");
        }
    }

    /// A file that no `mod` names is compiled by nobody, and its scenarios are missing without a word.
    #[test]
    fn each_file_of_an_area_is_compiled() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/areas");
        let mut files: Vec<String> = fs_err::read_dir(folder)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name())
            .filter_map(|name| Some(name.to_str()?.strip_suffix(".rs")?.to_owned()))
            .filter(|name| name != "mod")
            .collect();
        files.sort();
        let mut areas: Vec<&str> = scenarios().iter().map(|it| it.area).collect();
        areas.sort_unstable();
        areas.dedup();
        assert_eq!(files, areas, "areas/mod.rs names each file: pub mod NAME;");
        let mut listed = AREAS.to_vec();
        listed.sort_unstable();
        listed.retain(|area| !areas.contains(area));
        assert_eq!(listed, Vec::<&str>::new(), "in AREAS, and no area");
    }

    #[test]
    fn each_claims_something_in_a_sentence() {
        for scenario in scenarios() {
            let claim = scenario.claim();
            let name = scenario.full_name();
            assert!(
                claim.len() > 10 && claim.ends_with('.'),
                "{name}: {claim:?}"
            );
        }
    }

    #[test]
    fn each_has_a_saboteur_that_spares_another() {
        let names: HashSet<_> = scenarios().into_iter().map(Scenario::full_name).collect();
        for scenario in scenarios() {
            let name = scenario.full_name();
            assert!(!scenario.saboteurs.is_empty(), "{name} can't be proved");
            for saboteur in scenario.saboteurs {
                let full = format!("{name}+{}", saboteur.name);
                assert!(!saboteur.fails.is_empty(), "{full} names no assertion");
                let does = saboteur.cuts() || !saboteur.script().trim().is_empty();
                assert!(does, "{full} does nothing");
                assert!(
                    names.contains(saboteur.spares),
                    "{full} spares {:?}, which is no scenario",
                    saboteur.spares
                );
                let mut all = scenarios().into_iter();
                let spared = all.find(|it| it.full_name() == saboteur.spares);
                let has_it = |it: &Scenario| it.machines.iter().any(|it| it.name == saboteur.on);
                assert!(
                    spared.is_some_and(has_it),
                    "{full} spares one without its machine"
                );
                assert_ne!(saboteur.spares, name, "{full} has to spare another one");
            }
        }
    }

    #[test]
    fn a_deadline_grows_with_the_turns_of_those_that_take_some() {
        let once = scenarios()[0];
        let iterations = |count| std::num::NonZeroU32::new(count).expect("not zero");
        assert_eq!(once.deadline(iterations(50)), once.limit);
        let turns = Scenario {
            per_iteration: std::time::Duration::from_secs(4),
            ..*once
        };
        let grown = turns.deadline(iterations(20)) - turns.deadline(iterations(3));
        assert_eq!(grown.as_secs(), 17 * 4);
    }

    #[test]
    fn names_go_on_a_command_line_as_they_are() {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':' | '+');
        for selected in suite().to_prove() {
            let name = selected.full_name();
            assert!(name.chars().all(plain), "{name}");
            assert_eq!(
                name.matches('+').count(),
                1,
                "{name}: + stands before the saboteur only"
            );
        }
    }
}
