//! What guests are made of: a tree of a Debian suite in the host's Nix store, or NixOS' modules.

use super::choice::{ImageChoice, ImageOptions};
use crate::{
    Error, Result,
    image::{Cache, GuestBaseEntry, Image, Manifest},
    layer::labdisk::LabFile,
    scenario::fixture::Fixture,
    verdict::event::Events,
};

/// Where provisioning looks for the guests' base; without it, it takes the image's default.
const ENTRY: &str = "guest-base.json";
/// What guests of hosts are called that make them of NixOS' modules.
const NIXOS: &str = "nixos";
/// The trees of an image's packages that such guests have their programs from: those of an image on programs of Debian, and of
/// one that Nix has built.
const NIXOS_TREES: [&str; 2] = ["programs", "guests"];
/// Where it looks for the base itself if the host's store does not have it.
const ARCHIVE: &str = "guest-base.nar";

/// The base that the guests of a run are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    suite: String,
    /// The version of its systemd.
    systemd: String,
    /// None where it is the image's default: nothing is injected, and layers are those of a run that
    /// did not name it.
    injected: Option<Injected>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Injected {
    entry: GuestBaseEntry,
    /// What `nix-store --restore` reads; None where the host's store has the base.
    archive: Option<Vec<u8>>,
}

impl Guest {
    /// The base of `suite` for hosts of `image`: its own, or that of the image that `suite` names as
    /// `--image` does, which is built if it is not in the cache.
    ///
    /// # Errors
    /// When there is no such base, or the host can't be given one.
    pub async fn choose(
        image: &Image,
        suite: Option<&str>,
        cache: &Cache,
        events: &Events,
    ) -> Result<Self> {
        match Self::own(image.manifest(), suite)? {
            Ok(guest) => Ok(guest.of(image)),
            Err(foreign) => Self::foreign(image.manifest(), foreign, cache, events).await,
        }
    }

    /// What the image has; the inner error is the name of what it does not have.
    fn own<'a>(manifest: &Manifest, suite: Option<&'a str>) -> Result<Result<Self, &'a str>> {
        let bases = &manifest.guest_bases;
        let default = bases.first().map(|base| base.suite.as_str());
        let Some(suite) = suite.filter(|suite| Some(*suite) != default) else {
            return Ok(Ok(Self {
                suite: default.unwrap_or(none(manifest)).to_owned(),
                systemd: "unknown".to_owned(),
                injected: None,
            }));
        };
        if bases.is_empty() {
            return Err(Error::Image(format!(
                "guests of {suite:?} are not for {}: its hosts make none of a Debian suite",
                manifest.name
            )));
        }
        let base = bases.iter().find(|base| base.suite == suite);
        Ok(base.map_or(Err(suite), |base| {
            Ok(Self {
                suite: suite.to_owned(),
                systemd: "unknown".to_owned(),
                injected: Some(Injected {
                    entry: base.clone(),
                    archive: None,
                }),
            })
        }))
    }

    /// The same with the version that `image`, which has the base, tells.
    fn of(mut self, image: &Image) -> Self {
        let file = image.file(&image.manifest().provenance.packages);
        let packages = fs_err::read_to_string(file).unwrap_or_default();
        let base = format!("guest-base-{}", self.suite);
        let base = [base.as_str()];
        let trees: &[&str] = if self.suite == NIXOS {
            &NIXOS_TREES
        } else {
            &base
        };
        if let Some(version) = trees.iter().find_map(|tree| version(&packages, tree)) {
            self.systemd = version.to_owned();
        }
        self
    }

    async fn foreign(host: &Manifest, name: &str, cache: &Cache, events: &Events) -> Result<Self> {
        let options = ImageOptions {
            image: Some(name.to_owned()),
            ..ImageOptions::default()
        };
        let choice = ImageChoice::read(&options, &Fixture::default(), cache.root())
            .map_err(|error| Error::Image(format!("guests of {name:?}: {error}")))?;
        let image = choice.image(cache, events).await?;
        let entry = image.manifest().guest_bases.first().cloned();
        let entry = entry.ok_or_else(|| {
            let image = &image.manifest().name;
            Error::Image(format!(
                "guests of {name:?}: {image} has no base for guests"
            ))
        })?;
        let suite = entry.suite.clone();
        // The same tree under another name, such as the folder of the host's own image.
        if host.guest_bases.first().map(|base| &base.path) == Some(&entry.path) {
            return Ok(Self {
                suite,
                systemd: "unknown".to_owned(),
                injected: None,
            }
            .of(&image));
        }
        let (cache, base, from) = (cache.clone(), entry.clone(), image.clone());
        let archive = tokio::task::spawn_blocking(move || cache.guest_base(&from, &base))
            .await
            .map_err(|error| Error::Image(error.to_string()))?
            .map_err(|error| Error::Image(error.to_string()))?;
        Ok(Self {
            suite,
            systemd: "unknown".to_owned(),
            injected: Some(Injected {
                entry,
                archive: Some(fs_err::read(archive)?),
            }),
        }
        .of(&image))
    }

    /// The suite; where the image has no guest base, `nixos` for a NixOS host, and else `none`.
    #[must_use]
    pub fn suite(&self) -> &str {
        &self.suite
    }

    /// The version of its systemd, or `unknown` where the image does not tell what is in its base.
    #[must_use]
    pub fn systemd(&self) -> &str {
        &self.systemd
    }

    /// What the lab disk has of it.
    ///
    /// # Errors
    /// None in practice: it is text.
    pub fn files(self) -> Result<Vec<LabFile>> {
        let Some(Injected { entry, archive }) = self.injected else {
            return Ok(vec![]);
        };
        let file = |path: &str, content: Vec<u8>| LabFile {
            path: path.into(),
            executable: false,
            content,
        };
        let entry = serde_json::to_vec(&entry).map_err(std::io::Error::from)?;
        let archive = archive.map(|archive| file(ARCHIVE, archive));
        Ok([file(ENTRY, entry)].into_iter().chain(archive).collect())
    }
}

/// What guests are called where the image has no base for them.
fn none(manifest: &Manifest) -> &'static str {
    if manifest.os.id == NIXOS {
        NIXOS
    } else {
        "none"
    }
}

/// The version of systemd in `tree`, by the table of tree, package and version.
fn version<'a>(packages: &'a str, tree: &str) -> Option<&'a str> {
    packages.lines().find_map(|line| {
        let rest = line.strip_prefix(tree)?;
        rest.strip_prefix("\tsystemd\t")
    })
}

/// What switches the NixOS systems of `image`, where its builder says so.
pub(crate) fn switch(image: &Image) -> Option<String> {
    let file = image.file(&image.manifest().provenance.packages);
    switch_in(&fs_err::read_to_string(file).ok()?).map(str::to_owned)
}

fn switch_in(packages: &str) -> Option<&str> {
    let mut lines = packages.lines();
    lines.find_map(|line| line.strip_prefix("nixos\tswitch-to-configuration\t"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(suites: &[&str]) -> Manifest {
        let text = include_str!("../../../../../vm-images/nixos/tests/image.json");
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

    fn own(manifest: &Manifest, suite: Option<&str>) -> Guest {
        Guest::own(manifest, suite).unwrap().unwrap()
    }

    #[test]
    fn the_default_is_the_same_said_aloud() {
        let manifest = manifest(&["trixie", "sid"]);
        let silent = own(&manifest, None);
        assert_eq!(silent, own(&manifest, Some("trixie")));
        assert_eq!(silent.suite(), "trixie");
        assert_eq!(silent.files().unwrap(), []);
    }

    #[test]
    fn another_base_of_the_image_goes_onto_the_lab_disk() {
        let sid = own(&manifest(&["trixie", "sid"]), Some("sid"));
        assert_eq!(sid.suite(), "sid");
        let files = sid.files().unwrap();
        assert_eq!(files.len(), 1);
        let entry: GuestBaseEntry = serde_json::from_slice(&files[0].content).unwrap();
        assert_eq!(entry.suite, "sid");
    }

    #[test]
    fn the_version_is_that_of_the_base_and_not_of_the_host() {
        let packages = "host\tsystemd\t257.13-1\nguest-base-sid\tsystemd-sysv\t1\nguest-base-sid\tsystemd\t262.1-1\n";
        assert_eq!(version(packages, "guest-base-sid"), Some("262.1-1"));
        assert_eq!(version(packages, "guest-base-bookworm"), None);
    }

    #[test]
    fn what_switches_nixos_is_told_by_its_builder_alone() {
        let packages =
            "programs\tsystemd\t262.1-1\nnixos\tswitch-to-configuration\tthe lab's own\n";
        assert_eq!(switch_in(packages), Some("the lab's own"));
        assert_eq!(switch_in("host\tsystemd\t257.13-1\n"), None);
    }

    #[test]
    fn an_image_without_bases_has_guests_of_nixos_or_none() {
        let mut manifest = manifest(&[]);
        assert_eq!(own(&manifest, None).suite(), "nixos");
        manifest.os.id = "debian".into();
        assert_eq!(own(&manifest, None).suite(), "none");
    }

    #[rstest::rstest]
    #[case("programs\tsystemd\t262.1-1\n", "262.1-1")]
    #[case("host\tsystemd\t258.2\nguests\tsystemd\t257.9\n", "257.9")]
    #[case("host\tsystemd\t258.2\n", "unknown")]
    fn guests_of_nixos_have_the_programs_that_the_image_tells(
        #[case] packages: &str,
        #[case] version: &str,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let dir = camino::Utf8Path::from_path(dir.path()).unwrap();
        let manifest = manifest(&[]);
        for (_, file) in manifest.files() {
            fs_err::write(dir.join(file), "").unwrap();
        }
        fs_err::write(dir.join(&manifest.provenance.packages), packages).unwrap();
        let text = serde_json::to_string(&manifest).unwrap();
        fs_err::write(dir.join("image.json"), text).unwrap();
        let image = Image::open(dir).unwrap();
        assert_eq!(own(&manifest, None).of(&image).systemd(), version);
    }

    #[test]
    fn what_the_image_lacks_is_looked_for_elsewhere() {
        let sid = Guest::own(&manifest(&["trixie"]), Some("sid"));
        assert_eq!(sid.unwrap(), Err("sid"));
        // Such hosts know nothing of bases.
        let error = Guest::own(&manifest(&[]), Some("sid")).unwrap_err();
        insta::assert_snapshot!(
            error.to_string(),
            @r#"image: guests of "sid" are not for nixos-test: its hosts make none of a Debian suite"#
        );
    }
}
