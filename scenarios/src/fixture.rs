//! What the shipped scenarios are about: guests, their declaration, and what a host is provisioned with.

use spawnlab::scenario::fixture::{Deployed, Fixture};

/// Files of the repository by their place on the lab disk; see `build.rs`.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/lab_files.rs"));

/// The flake of this repository's guests, declared as `tooling/` declares them.
#[must_use]
pub fn fixture() -> Fixture {
    let deployed = |container: &str| Deployed {
        machine: "web".to_owned(),
        container: container.to_owned(),
    };
    let mut fixture = Fixture::provisioned();
    for (path, content) in FILES {
        fixture.put_file(path, content.to_vec());
    }
    fixture.deployed = vec![deployed("web"), deployed("a-container-with-a-long-name")];
    fixture
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_finds_guests_and_declarations() {
        let fixture = fixture();
        for path in [
            "provision",
            "containers.nix",
            "guests/flake.nix",
            "guests/lib/closure.nix",
            "nix/apply",
            "nix/declaration.nix",
        ] {
            let found = fixture.files.iter().filter(|file| file.path == path);
            assert_eq!(found.count(), 1, "{path}");
        }
    }
}
