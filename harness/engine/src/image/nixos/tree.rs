//! A tree of nixpkgs that was read: which files, and the hash of what is in them.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, BufWriter, Read},
    os::unix::ffi::OsStrExt as _,
    path::Path,
    sync::Arc,
};

use camino::{Utf8Path, Utf8PathBuf};
use sha2::{Digest as _, Sha256};

use super::{
    given::NixpkgsGiven,
    hash,
    list::{self, Kind, TreeEntry},
    tar::Tar,
};
use crate::image::{ImageError, error::Doing as _};

/// What every nixpkgs has, and little else.
const MARKS: [&str; 3] = ["lib", "nixos/modules", "pkgs/top-level"];

/// Whose name was made of other content than that of now.
const CHANGED: &str = "it was changed while it was read; run this again";

/// How much of a hash or of a commit names a tree in reports.
const SHORT: usize = 12;

/// The files of a nixpkgs as they were when it was read.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    given: NixpkgsGiven,
    root: Utf8PathBuf,
    entries: Arc<Vec<TreeEntry>>,
    /// Of all files.
    pub(crate) hash: String,
    /// For reports: `rev COMMIT`, `rev COMMIT-dirty HASH`, or `HASH`.
    pub(crate) label: String,
}

impl Tree {
    /// Whether there is a nixpkgs at `root`, as far as can be seen at a glance.
    ///
    /// # Errors
    /// [`ImageError::Nixpkgs`].
    pub(crate) fn look(given: &NixpkgsGiven, root: &Utf8Path) -> Result<(), ImageError> {
        let meta = std::fs::metadata(root).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => given.wrong(
                "there is no such folder; --nixpkgs takes a folder, a flake reference, or one of them with +FILE.patch behind it",
            ),
            _ => given.wrong(format!("it can't be read: {error}")),
        })?;
        if !meta.is_dir() {
            return Err(given.wrong("it is no folder; --nixpkgs takes that of an unpacked nixpkgs"));
        }
        let mut entries = std::fs::read_dir(root)
            .map_err(|error| given.wrong(format!("it can't be read: {error}")))?;
        if entries.next().is_none() {
            return Err(given.wrong("its folder is empty"));
        }
        match MARKS.iter().find(|mark| !root.join(mark).is_dir()) {
            None => Ok(()),
            Some(mark) => Err(given.wrong(format!(
                "it is no nixpkgs, for it has no folder {mark}; --nixpkgs takes the top folder of one"
            ))),
        }
    }

    /// Reads the nixpkgs at `root`. `commit` is what somebody else knows of it.
    ///
    /// # Errors
    /// [`ImageError::Nixpkgs`].
    pub(crate) fn read(
        given: &NixpkgsGiven,
        root: &Utf8Path,
        commit: Option<&str>,
    ) -> Result<Self, ImageError> {
        Self::look(given, root)?;
        let wrong = |why: String| given.wrong(why);
        let listed = list::list(root.as_std_path()).map_err(wrong)?;
        let hash = hash::of(root.as_std_path(), &listed.entries).map_err(wrong)?;
        let commit = match (listed.commit, commit) {
            (Some(own), _) => Some(own),
            (None, Some(told)) => Some((told.to_owned(), false)),
            (None, None) => None,
        };
        Ok(Self {
            given: given.clone(),
            root: root.to_owned(),
            label: label(&hash, commit),
            entries: Arc::new(listed.entries),
            hash,
        })
    }

    /// Writes the files into a tar archive at `target`.
    ///
    /// # Errors
    /// [`ImageError::Nixpkgs`] if they are not what they were when the tree was read; [`ImageError::Io`].
    pub(crate) fn write(&self, target: &Utf8Path) -> Result<(), ImageError> {
        let out = File::create(target).doing("create", target)?;
        let mut tar = Tar::new(BufWriter::with_capacity(1 << 20, out));
        let mut hashes = Vec::with_capacity(self.entries.len());
        for entry in self.entries.iter() {
            let hash = match &entry.kind {
                Kind::Link(link) => {
                    tar.link(&entry.path, link).doing("write", target)?;
                    hash::of_link(link)
                }
                Kind::File { executable } => {
                    let relative = Path::new(OsStr::from_bytes(&entry.path));
                    let read = self.put(&mut tar, relative, &entry.path, *executable);
                    read.map_err(|error| match error.kind() {
                        io::ErrorKind::StorageFull => ImageError::Io {
                            action: "write",
                            path: target.to_owned(),
                            source: error,
                        },
                        _ => self
                            .given
                            .wrong(format!("{}: {error}; {CHANGED}", relative.display())),
                    })?
                }
            };
            hashes.push(hash);
        }
        tar.finish().doing("write", target)?;
        if hash::together(&self.entries, &hashes) != self.hash {
            return Err(self.given.wrong(CHANGED));
        }
        Ok(())
    }

    fn put(
        &self,
        tar: &mut Tar<BufWriter<File>>,
        relative: &Path,
        name: &[u8],
        executable: bool,
    ) -> io::Result<hash::FileHash> {
        let file = File::open(self.root.as_std_path().join(relative))?;
        let size = file.metadata()?.len();
        let mut content = Hashing {
            file,
            hash: Sha256::new(),
        };
        tar.file(name, executable, size, &mut content)?;
        Ok(content.hash.finalize().into())
    }
}

/// Hashes what is read of it.
struct Hashing {
    file: File,
    hash: Sha256,
}

impl Read for Hashing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        self.hash.update(&buffer[..length]);
        Ok(length)
    }
}

fn label(hash: &str, commit: Option<(String, bool)>) -> String {
    let short = |text: &str| text.chars().take(SHORT).collect::<String>();
    match commit {
        None => short(hash),
        Some((commit, false)) => format!("rev {}", short(&commit)),
        Some((commit, true)) => format!("rev {}-dirty {}", short(&commit), short(hash)),
    }
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
