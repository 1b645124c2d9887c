//! The Debian packages that NixOS' programs come from: `vm-images/nixos/debian/programs.toml`, which Nix reads, too.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::files;

const TABLE: &str = "debian/programs.toml";

/// The table, as far as it is about packages. What else it says is for Nix.
#[derive(Debug, Default, Deserialize)]
struct Table {
    #[serde(default)]
    base: Base,
    #[serde(default)]
    programs: BTreeMap<String, Program>,
    #[serde(default)]
    suite: BTreeMap<String, Suite>,
}

#[derive(Debug, Default, Deserialize)]
struct Base {
    #[serde(default)]
    packages: Vec<String>,
}

/// What a suite has beside the others, and what it lacks.
#[derive(Debug, Default, Deserialize)]
struct Suite {
    #[serde(default)]
    packages: Vec<String>,
    #[serde(default)]
    without: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Program {
    Named(Packages),
    Told {
        #[serde(default)]
        debian: Option<Packages>,
    },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Packages {
    One(String),
    Many(Vec<String>),
}

impl Packages {
    fn list(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// The packages that a tree of `suite` needs, each once, in the order of their names.
///
/// # Errors
/// A message: what is wrong with the table.
pub(crate) fn packages(suite: &str) -> Result<Vec<String>, String> {
    let text = files::text(TABLE).ok_or_else(|| format!("vm-images/nixos/{TABLE} is not there"))?;
    read(text, suite).map_err(|why| format!("vm-images/nixos/{TABLE}: {why}"))
}

fn read(text: &str, suite: &str) -> Result<Vec<String>, String> {
    let table: Table = toml::from_str(text).map_err(|error| error.to_string())?;
    let mut all: BTreeSet<&str> = table.base.packages.iter().map(String::as_str).collect();
    for program in table.programs.values() {
        let packages = match program {
            Program::Named(packages) => Some(packages),
            Program::Told { debian } => debian.as_ref(),
        };
        all.extend(
            packages
                .into_iter()
                .flat_map(Packages::list)
                .map(String::as_str),
        );
    }
    if let Some(own) = table.suite.get(suite) {
        all.extend(own.packages.iter().map(String::as_str));
        all.retain(|package| !own.without.iter().any(|without| without == package));
    }
    Ok(all.into_iter().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
[base]
packages = ["busybox-static"]
[programs]
bash = "bash"
util-linux = ["util-linux", "mount"]
mount = "mount"
nginx = { debian = "nginx-light", outputs = ["out"] }
dummy = { refused = "no package" }
[suite.trixie]
without = ["mount"]
packages = ["libmount1"]
"#;

    #[test]
    fn packages_are_those_of_the_suite_each_once() {
        let sid = read(SMALL, "sid").expect("read");
        assert_eq!(
            sid,
            [
                "bash",
                "busybox-static",
                "mount",
                "nginx-light",
                "util-linux"
            ]
        );
        let trixie = read(SMALL, "trixie").expect("read");
        assert_eq!(
            trixie,
            [
                "bash",
                "busybox-static",
                "libmount1",
                "nginx-light",
                "util-linux"
            ]
        );
    }

    #[test]
    fn the_table_of_the_repository_has_a_kernel_and_nix() {
        for suite in ["sid", "trixie"] {
            let packages = packages(suite).expect("a table");
            for package in [
                "linux-image-cloud-amd64",
                "nix-bin",
                "systemd",
                "busybox-static",
            ] {
                assert!(
                    packages.iter().any(|one| one == package),
                    "{suite}: {package}"
                );
            }
        }
    }
}
