//! The suite: the claims, what hosts are made of, what can be varied, and what is known to fail.

use spawnlab::run::{suite::Suite, target::programs::OwnPrograms};

use crate::{adapters::PYTHON_NIXOS_NSPAWN, fixture, registry, variable::FirewallVariable};

/// The lists are built in, since an installed command has no repository around it.
const KNOWN: &str = include_str!("../../ci/known.toml");
const MATRIX: &str = include_str!("../../ci/matrix.toml");

/// Our tool and agent, where the build script was to put them into the command.
const PROGRAMS: OwnPrograms = include!(concat!(env!("OUT_DIR"), "/own_programs.rs"));

/// All that the command and the tests run.
#[must_use]
pub fn suite() -> Suite {
    Suite::of(registry::scenarios())
        .fixture(fixture::fixture())
        .own_programs(PROGRAMS)
        .adapter(&PYTHON_NIXOS_NSPAWN)
        .known(KNOWN)
        .matrix(MATRIX)
        .variable(&FirewallVariable)
        // What a host's own firewall decides. Scenarios of the area `firewall` load rules of their own.
        .group("firewall", &["networking::", "names::", "uplink::"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_wrong_with_it() {
        assert_eq!(suite().problem(), None);
        let known = suite().known_bugs();
        assert!(known.is_ok(), "{known:?}");
    }

    /// A row that names a scenario of somebody else's file would make the whole list one that no run takes.
    #[test]
    fn rows_for_the_public_reference_name_scenarios_of_the_suite() {
        let rows = include_str!("../../ci/known-reference.toml");
        let known = suite().known(rows).known_bugs();
        assert!(known.is_ok(), "{known:?}");
    }
}
