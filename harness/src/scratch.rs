//! A private folder for as long as one VM lives, swept later if its owner was killed.

use std::{
    fs::File,
    io::Write,
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

    /// Makes one below `parent`, for what is too large for the temporary folder, which may be in memory.
    ///
    /// # Errors
    /// When nothing can be written there.
    pub fn under(parent: &Utf8Path) -> Result<Self> {
        fs_err::create_dir_all(parent)?;
        loop {
            let dir = tempfile::Builder::new()
                .prefix("vm-")
                .permissions(std::fs::Permissions::from_mode(0o700))
                .tempdir_in(parent)?;
            let path = dir.path().join(OWNER);
            let mut owner = File::create(&path)?;
            let locked = flock(&owner, FlockOperation::NonBlockingLockExclusive).is_ok();
            // A sweep may have come between the making and the locking, and took it for an orphan.
            if locked && path.exists() {
                writeln!(owner, "{}", std::process::id())?;
                return Ok(Self { dir, _owner: owner });
            }
        }
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

/// The same below `parent`, which need not exist.
///
/// # Errors
/// When it can't be read.
pub fn sweep_under(parent: &Utf8Path) -> Result<usize> {
    let mut swept = 0;
    if !parent.exists() {
        return Ok(swept);
    }
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

/// Folders that this process has in the temporary folder now, by the note of their owners.
///
/// # Errors
/// When the user's folder can't be read.
pub fn own() -> Result<usize> {
    let own = std::process::id().to_string();
    let entries = parent()?.read_dir_utf8()?.flatten();
    let owners = entries.filter_map(|entry| fs_err::read_to_string(entry.path().join(OWNER)).ok());
    Ok(owners.filter(|owner| owner.trim() == own).count())
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
        let owner = fs_err::read_to_string(path.join(OWNER)).unwrap();
        assert_eq!(owner.trim(), std::process::id().to_string());
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
