//! What the shipped scenarios are about: guests, their declaration, and what a host is provisioned with.

use spawnlab::scenario::subject::{Deployed, Subject};

/// Files of the repository by their place on the lab disk; see `build.rs`.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/lab_files.rs"));

/// The flake of this repository's guests, declared as `tooling/` declares them.
#[must_use]
pub fn subject() -> Subject {
    let deployed = |container: &str| Deployed {
        machine: "web".to_owned(),
        container: container.to_owned(),
    };
    let mut subject = Subject::provisioned();
    for (path, content) in FILES {
        subject.put_file(path, content.to_vec());
    }
    subject.deployed = vec![deployed("web"), deployed("a-container-with-a-long-name")];
    subject
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_finds_guests_and_declarations() {
        let subject = subject();
        for path in [
            "provision",
            "containers.nix",
            "guests/flake.nix",
            "guests/lib/closure.nix",
            "nix/apply",
            "nix/declaration.nix",
        ] {
            let found = subject.files.iter().filter(|file| file.path == path);
            assert_eq!(found.count(), 1, "{path}");
        }
    }
}
