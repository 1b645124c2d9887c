//! What guests are made of: a tree of a Debian suite in the host's Nix store.

use spawnlab::{
    Error, Result,
    image::{GuestBaseEntry, Manifest},
    layer::labdisk::LabFile,
};

/// Where provisioning looks for the guests' base; without it, it takes the image's default.
const ENTRY: &str = "guest-base.json";

/// The base that the guests of a run are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    suite: String,
    /// None where it is the image's default: nothing is injected, and layers are those of a run that
    /// did not name it.
    injected: Option<GuestBaseEntry>,
}

impl Guest {
    /// The base of `suite` on the image, or its default.
    ///
    /// # Errors
    /// When the image has no base of `suite`.
    pub fn choose(manifest: &Manifest, suite: Option<&str>) -> Result<Self> {
        let bases = &manifest.guest_bases;
        let default = bases.first().map(|base| base.suite.as_str());
        let Some(suite) = suite.filter(|suite| Some(*suite) != default) else {
            return Ok(Self {
                suite: default.unwrap_or("none").to_owned(),
                injected: None,
            });
        };
        let base = bases.iter().find(|base| base.suite == suite);
        let base = base.ok_or_else(|| {
            let suites: Vec<&str> = bases.iter().map(|base| base.suite.as_str()).collect();
            let there_are = match suites.as_slice() {
                [] => "it has no base for guests at all".to_owned(),
                suites => format!("its guests are of {}", suites.join(", ")),
            };
            Error::Image(format!(
                "{} has no guests of the suite {suite:?}; {there_are}",
                manifest.name
            ))
        })?;
        Ok(Self {
            suite: suite.to_owned(),
            injected: Some(base.clone()),
        })
    }

    /// The suite, or `none` where the image has no guest base.
    #[must_use]
    pub fn suite(&self) -> &str {
        &self.suite
    }

    /// What the lab disk says of it.
    ///
    /// # Errors
    /// None in practice: it is text.
    pub fn files(&self) -> Result<Vec<LabFile>> {
        let Some(entry) = &self.injected else {
            return Ok(vec![]);
        };
        Ok(vec![LabFile {
            path: ENTRY.into(),
            executable: false,
            content: serde_json::to_vec(entry).map_err(std::io::Error::from)?,
        }])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(suites: &[&str]) -> Manifest {
        let text = include_str!("../../vm-images/nixos/tests/image.json");
        let mut manifest: Manifest = serde_json::from_str(text).unwrap();
        manifest.guest_bases = suites
            .iter()
            .map(|suite| GuestBaseEntry {
                name: format!("guest-base-{suite}"),
                path: format!("/nix/store/0-guest-base-{suite}").into(),
                hash: "sha256-".into(),
                busybox: "/usr/bin/busybox".into(),
                suite: (*suite).to_owned(),
            })
            .collect();
        manifest
    }

    #[test]
    fn the_default_is_the_same_said_aloud() {
        let manifest = manifest(&["trixie", "sid"]);
        let silent = Guest::choose(&manifest, None).unwrap();
        assert_eq!(silent, Guest::choose(&manifest, Some("trixie")).unwrap());
        assert_eq!(silent.suite(), "trixie");
        assert_eq!(silent.files().unwrap(), []);
    }

    #[test]
    fn another_base_of_the_image_goes_onto_the_lab_disk() {
        let sid = Guest::choose(&manifest(&["trixie", "sid"]), Some("sid")).unwrap();
        assert_eq!(sid.suite(), "sid");
        let files = sid.files().unwrap();
        let entry: GuestBaseEntry = serde_json::from_slice(&files[0].content).unwrap();
        assert_eq!(entry.suite, "sid");
    }

    #[test]
    fn an_image_without_bases_has_no_guests() {
        assert_eq!(Guest::choose(&manifest(&[]), None).unwrap().suite(), "none");
    }

    #[test]
    fn what_the_image_lacks_is_said_with_what_it_has() {
        let text = |suites: &[&str]| {
            let error = Guest::choose(&manifest(suites), Some("sid")).unwrap_err();
            error.to_string()
        };
        insta::assert_snapshot!(
            format!("{}\n{}", text(&["trixie"]), text(&[])),
            @r#"
        image: nixos-test has no guests of the suite "sid"; its guests are of trixie
        image: nixos-test has no guests of the suite "sid"; it has no base for guests at all
        "#
        );
    }
}
