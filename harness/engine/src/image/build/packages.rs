//! The records that mmdebstrap's hook left of each tree.

use std::{collections::BTreeSet, fmt::Write as _};

use camino::Utf8Path;

use crate::image::{
    error::{Doing as _, ImageError},
    manifest::Release,
};

/// What went into all trees.
#[derive(Debug, Default)]
pub(crate) struct Records {
    /// Tree, package, version: separated by tabs, one per line.
    pub(crate) packages: String,
    /// Every Release file once.
    pub(crate) releases: BTreeSet<Release>,
}

impl Records {
    /// Reads the records of `trees` in `export`.
    pub(crate) fn read<'a>(
        export: &Utf8Path,
        trees: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, ImageError> {
        let mut records = Self::default();
        for tree in trees {
            let read = |name: String| {
                let path = export.join(name);
                std::fs::read_to_string(&path).doing("read", path)
            };
            records.add(
                tree,
                &read(format!("packages.{tree}"))?,
                &read(format!("releases.{tree}"))?,
            );
        }
        Ok(records)
    }

    fn add(&mut self, tree: &str, packages: &str, releases: &str) {
        for line in packages.lines() {
            let _ = writeln!(self.packages, "{tree}\t{line}");
        }
        self.releases.extend(releases.lines().filter_map(|line| {
            let (sha256, file) = line.split_once("  ")?;
            Some(Release {
                file: file.to_owned(),
                sha256: sha256.to_owned(),
            })
        }));
    }

    /// The version of the host's `package`.
    pub(crate) fn version(&self, package: &str) -> Option<&str> {
        version_on_host(&self.packages, package)
    }
}

/// The version of the host's `package` in `table`, which has the form of [`Records::packages`].
pub(crate) fn version_on_host<'t>(table: &'t str, package: &str) -> Option<&'t str> {
    table.lines().find_map(|line| {
        let mut fields = line.split('\t');
        (fields.next()? == "host" && fields.next()? == package)
            .then(|| fields.next())
            .flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_the_hosts_and_releases_are_listed_once() {
        let mut records = Records::default();
        records.add(
            "host",
            "nix-bin\t2.26.3\nsystemd\t257.13\n",
            "aa  deb_trixie_InRelease\n",
        );
        records.add(
            "guest-base-sid",
            "systemd\t262\n",
            "aa  deb_trixie_InRelease\nbb  deb_sid_InRelease\n",
        );
        assert_eq!(records.version("systemd"), Some("257.13"));
        assert_eq!(records.version("nix"), None);
        assert_eq!(records.releases.len(), 2);
        assert!(records.packages.contains("guest-base-sid\tsystemd\t262\n"));
    }
}
