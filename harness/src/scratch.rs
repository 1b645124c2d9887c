//! A private folder for as long as one VM lives, swept later if its owner was killed.

use std::{
    fs::File,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{FlockOperation, flock};

use crate::error::{Error, Result};

/// A folder with mode 0700 and a short path, removed with the value.
#[derive(Debug)]
pub struct Scratch {
    dir: tempfile::TempDir,
    // Locked as long as the owner lives: the kernel lets go of it even after SIGKILL.
    _owner: File,
}

const OWNER: &str = "owner";

impl Scratch {
    /// Makes one under the user's own folder in the temporary folder.
    ///
    /// # Errors
    /// When the user's folder there belongs to somebody else, or nothing can be written.
    pub fn new() -> Result<Self> {
        Self::under(&parent()?)
    }

    fn under(parent: &Utf8Path) -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("vm-")
            .permissions(std::fs::Permissions::from_mode(0o700))
            .tempdir_in(parent)?;
        let owner = File::create(dir.path().join(OWNER))?;
        flock(&owner, FlockOperation::NonBlockingLockExclusive).map_err(std::io::Error::from)?;
        Ok(Self { dir, _owner: owner })
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.dir.path()).unwrap_or(Utf8Path::new("/nonexistent"))
    }
}

/// Removes the folders of owners that are gone; returns how many.
///
/// # Errors
/// When the user's folder can't be read.
pub fn sweep() -> Result<usize> {
    sweep_under(&parent()?)
}

fn sweep_under(parent: &Utf8Path) -> Result<usize> {
    let mut swept = 0;
    for entry in parent.read_dir_utf8()? {
        let dir = entry?.into_path();
        let Ok(owner) = File::open(dir.join(OWNER)) else {
            continue;
        };
        if flock(&owner, FlockOperation::NonBlockingLockExclusive).is_ok() {
            // Another sweep may be at it, too: what is gone already is fine.
            let _ = std::fs::remove_dir_all(&dir);
            swept += 1;
        }
    }
    Ok(swept)
}

fn parent() -> Result<Utf8PathBuf> {
    let temp = Utf8PathBuf::from_path_buf(std::env::temp_dir())
        .map_err(|path| Error::Machine(format!("{} is not UTF-8", path.display())))?;
    let user = rustix::process::geteuid().as_raw();
    let parent = temp.join(format!("spawnlab-{user}"));
    match std::fs::DirBuilder::new().mode(0o700).create(&parent) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error.into()),
        _ => {}
    }
    let owner = fs_err::symlink_metadata(&parent)?;
    if !owner.is_dir() || owner.uid() != user {
        return Err(Error::Machine(format!(
            "{parent} belongs to another user; remove it or set TMPDIR"
        )));
    }
    Ok(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn temp() -> (tempfile::TempDir, Utf8PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
        (dir, path)
    }

    #[test]
    fn it_is_private_and_goes_with_its_value() {
        let (_guard, parent) = temp();
        let scratch = Scratch::under(&parent).unwrap();
        let path = scratch.path().to_owned();
        assert_eq!(fs_err::metadata(&path).unwrap().mode() & 0o777, 0o700);
        drop(scratch);
        assert!(!path.exists());
    }

    #[test]
    fn a_sweep_takes_the_orphans_and_leaves_the_living() {
        let (_guard, parent) = temp();
        let living = Scratch::under(&parent).unwrap();
        let orphan = parent.join("vm-orphan");
        fs_err::create_dir(&orphan).unwrap();
        fs_err::write(orphan.join(OWNER), "").unwrap();
        assert_eq!(sweep_under(&parent).unwrap(), 1);
        assert!(!orphan.exists());
        assert!(living.path().exists());
    }
}
