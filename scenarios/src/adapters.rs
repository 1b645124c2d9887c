//! Tools with a command line of their own, and what of the suite is about them.

use spawnlab::scenario::{Guarantee, adapter::Adapter};

macro_rules! file {
    ($path:literal) => {
        include_bytes!(concat!("../lab/adapters/", $path))
    };
}

const SETTINGS: &str =
    "settings of a container are part of what is deployed, and no host declares them";
const DECLARED: &str = "a container is there when it is created, and no host declares it";
const GROUP: &str = "its commands are root's, and no group can be let in";

/// The commands of `nixos_nspawn` as a deploy tool.
pub static PYTHON_NIXOS_NSPAWN: Adapter = Adapter {
    name: "python-nixos-nspawn",
    source: "https://github.com/m1cr0man/python-nixos-nspawn",
    code: "nixos_nspawn",
    deploy: file!("python-nixos-nspawn/deploy"),
    files: &[
        ("provision", file!("python-nixos-nspawn/provision")),
        ("nix/apply", file!("python-nixos-nspawn/apply")),
        (
            "adapter/flake-to-container",
            file!("python-nixos-nspawn/flake-to-container"),
        ),
        (
            "tools/declare-like",
            file!("python-nixos-nspawn/declare-like"),
        ),
        ("adapter/flake.nix", file!("python-nixos-nspawn/flake.nix")),
        (
            "adapter/container.nix",
            file!("python-nixos-nspawn/container.nix"),
        ),
    ],
    promises: &[Guarantee::RollsBack],
    packages: (&["python3", "python3-rich"], "trixie-python"),
    not_applicable: &[
        ("deploy::changed_settings_restart", SETTINGS),
        ("contract::never_deployed_is", DECLARED),
        ("contract::root_of_a_container_has_usr", DECLARED),
        ("nixos::", DECLARED),
        ("isolation::group_member_deploys_", GROUP),
        ("remote::member_of_the_group_", GROUP),
    ],
};

#[cfg(test)]
mod tests {
    use spawnlab::scenario::fixture::PROVISION;

    use super::*;
    use crate::{fixture::fixture, registry};

    #[test]
    fn reasons_are_about_scenarios_of_the_suite() {
        let scenarios = registry::scenarios();
        for (beginning, why) in PYTHON_NIXOS_NSPAWN.not_applicable {
            let found = scenarios
                .iter()
                .any(|one| one.full_name().starts_with(beginning));
            assert!(found, "{beginning}: {why}");
        }
    }

    /// A path that the lab does not know any more would leave the lab's own file in its place.
    #[test]
    fn files_in_place_of_the_labs_have_the_labs_paths() {
        let ours = fixture();
        for path in [PROVISION, "nix/apply", "tools/declare-like"] {
            assert!(ours.files.iter().any(|file| file.path == path), "{path}");
            let mut theirs = PYTHON_NIXOS_NSPAWN.files.iter();
            let (_, content) = theirs.find(|(name, _)| *name == path).expect("a file");
            assert!(content.starts_with(b"#!/bin/sh\n"), "{path}");
        }
    }
}
