//! What the assembly says of the host's system, for its description.

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;

use super::packages::Records;
use crate::image::{
    error::{Doing as _, ImageError},
    manifest::{GuestBaseEntry, Os, Versions},
    recipe::RecipeSpec,
};

/// What of `image.json` depends on what was built.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct System {
    pub(crate) cmdline: Vec<String>,
    pub(crate) os: Os,
    pub(crate) versions: Versions,
    pub(crate) provision: Utf8PathBuf,
    pub(crate) guest_bases: Vec<GuestBaseEntry>,
}

/// `system.json`, which the script of a NixOS host writes.
#[derive(Debug, Deserialize)]
struct NixosSystem {
    toplevel: Utf8PathBuf,
    os: Os,
    versions: Versions,
    #[serde(default)]
    cmdline: Vec<String>,
    provision: Utf8PathBuf,
}

/// A Debian host's, by what `export` and the records of its packages tell.
pub(crate) fn of_debian(
    spec: &RecipeSpec,
    export: &Utf8Path,
    records: &Records,
) -> Result<System, ImageError> {
    let release = read(export, "os-release")?;
    let field = |name: &str| os_release_field(&release, name);
    let version = |package: &str| records.version(package).unwrap_or("none").to_owned();
    let guest_bases = spec
        .guest_base
        .iter()
        .map(|base| json(export, &format!("guest-base.{}.json", base.name())))
        .collect::<Result<Vec<_>, ImageError>>()?;
    Ok(System {
        cmdline: spec.cmdline.clone(),
        os: Os {
            id: field("ID").unwrap_or("linux").to_owned(),
            // sid has no number.
            version: field("VERSION_ID").unwrap_or(&spec.suite).to_owned(),
            pretty: field("PRETTY_NAME").unwrap_or(&spec.suite).to_owned(),
        },
        versions: Versions {
            systemd: version("systemd"),
            nix: version("nix-bin"),
            kernel: read(export, "kernel")?.trim().to_owned(),
        },
        provision: spec.provision.clone(),
        guest_bases,
    })
}

/// A NixOS host's.
pub(crate) fn of_nixos(spec: &RecipeSpec, export: &Utf8Path) -> Result<System, ImageError> {
    let system: NixosSystem = json(export, "system.json")?;
    let bad = |why: String| ImageError::BadManifest {
        path: export.join("system.json"),
        why,
    };
    if !system.toplevel.starts_with("/nix/store/") {
        return Err(bad(format!("{} is no system", system.toplevel)));
    }
    if !system.provision.is_absolute() {
        return Err(bad(format!("{} is not absolute", system.provision)));
    }
    // Of a parameter that is there twice the later one counts: what the lab needs stands last.
    let theirs = system.cmdline.into_iter();
    let theirs = theirs.filter(|word| !word.starts_with("init="));
    Ok(System {
        cmdline: std::iter::once(format!("init={}/init", system.toplevel))
            .chain(theirs)
            .chain(spec.cmdline.iter().cloned())
            .collect(),
        os: system.os,
        versions: system.versions,
        provision: system.provision,
        guest_bases: vec![],
    })
}

fn read(export: &Utf8Path, name: &str) -> Result<String, ImageError> {
    let path = export.join(name);
    std::fs::read_to_string(&path).doing("read", path)
}

fn json<T: serde::de::DeserializeOwned>(export: &Utf8Path, name: &str) -> Result<T, ImageError> {
    serde_json::from_str(&read(export, name)?).map_err(|error| ImageError::BadManifest {
        path: export.join(name),
        why: error.to_string(),
    })
}

fn os_release_field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key == name).then(|| value.trim_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Recipe;

    #[test]
    fn os_release_values_lose_their_quotes() {
        let text = "PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nID=debian\n";
        assert_eq!(
            os_release_field(text, "PRETTY_NAME"),
            Some("Debian GNU/Linux 13 (trixie)")
        );
        assert_eq!(os_release_field(text, "ID"), Some("debian"));
        assert_eq!(os_release_field(text, "VERSION_ID"), None);
    }

    const SYSTEM: &str = r#"{
        "toplevel": "/nix/store/abc-nixos-system-host",
        "os": {"id": "nixos", "version": "26.11", "pretty": "NixOS 26.11 (nixpkgs abc), programs of Debian sid"},
        "versions": {"systemd": "262", "nix": "2.34", "kernel": "7.2"},
        "cmdline": ["loglevel=4", "init=/other"],
        "provision": "/run/current-system/sw/bin/spawnlab-provision"
    }"#;

    fn nixos(text: &str) -> Result<System, ImageError> {
        let dir = tempfile::tempdir().expect("a folder");
        let export = Utf8Path::from_path(dir.path()).expect("UTF-8");
        std::fs::write(export.join("system.json"), text).expect("written");
        let recipe = Recipe::embedded("nixos").expect("a recipe");
        of_nixos(recipe.spec(), export)
    }

    #[test]
    fn a_nixos_host_starts_its_own_system() {
        let system = nixos(SYSTEM).expect("read");
        assert_eq!(
            system.cmdline[..3],
            [
                "init=/nix/store/abc-nixos-system-host/init",
                "loglevel=4",
                "root=serial:root"
            ]
        );
        assert_eq!(system.guest_bases, []);
        assert_eq!(system.versions.systemd, "262");
    }

    #[rstest::rstest]
    #[case("/nix/store/abc-nixos-system-host", "/tmp/system", "is no system")]
    #[case("/run/current-system", "run/current-system", "is not absolute")]
    #[case("\"os\"", "\"so\"", "missing field `os`")]
    fn a_description_that_is_wrong_is_refused(
        #[case] before: &str,
        #[case] after: &str,
        #[case] why: &str,
    ) {
        let error = nixos(&SYSTEM.replacen(before, after, 1)).expect_err("refused");
        assert!(error.to_string().contains(why), "{error}");
    }
}
