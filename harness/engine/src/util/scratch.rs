//! A private folder for as long as one VM lives, swept later if its owner was killed.

use std::{
    collections::BTreeSet,
    fs::File,
    io::Write,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{FlockOperation, flock};

use crate::util::error::{Error, Result};

/// Folders that go with this process, even if it ends without dropping anything.
static DOOMED: Mutex<BTreeSet<Utf8PathBuf>> = Mutex::new(BTreeSet::new());

/// A folder that is removed with this value, unless it was given another name by then.
#[derive(Debug)]
pub struct RemovedOnDrop(Utf8PathBuf);

impl RemovedOnDrop {
    /// Dooms `dir`.
    #[must_use]
    pub fn new(dir: &Utf8Path) -> Self {
        let mut doomed = DOOMED.lock().unwrap_or_else(PoisonError::into_inner);
        doomed.insert(dir.to_owned());
        Self(dir.to_owned())
    }
}

impl Drop for RemovedOnDrop {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
        let mut doomed = DOOMED.lock().unwrap_or_else(PoisonError::into_inner);
        doomed.remove(&self.0);
    }
}

/// How many folders there are that only their owner can remove.
static OWNED: AtomicUsize = AtomicUsize::new(0);

/// Says that its owner has a folder with mounts in it, or with files of other users, that he removes when
/// he is told to stop. He drops this after it.
#[derive(Debug)]
pub(crate) struct Owned(());

impl Owned {
    /// Says so from now on.
    #[must_use]
    pub(crate) fn begin() -> Self {
        OWNED.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        OWNED.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Removes what is doomed, for a process that ends at once and drops nothing.
///
/// Tries it again where a dying program writes on, or another thread removes the same folder, and waits for
/// owners who were told to stop: for five seconds.
pub fn abandon() {
    let end = Instant::now() + Duration::from_secs(5);
    while !(all_gone() && OWNED.load(Ordering::Relaxed) == 0) && Instant::now() < end {
        thread::sleep(Duration::from_millis(10));
    }
}

fn all_gone() -> bool {
    // Nobody holds it for long, unless it is the thread that this signal interrupted.
    DOOMED.try_lock().is_ok_and(|doomed| {
        for dir in doomed.iter() {
            let _ = std::fs::remove_dir_all(dir);
        }
        doomed.iter().all(|dir| !dir.exists())
    })
}

/// A folder with mode 0700 and a short path, removed with the value.
#[derive(Debug)]
pub struct Scratch {
    dir: tempfile::TempDir,
    _removal: RemovedOnDrop,
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
        Self::below(&parent()?)
    }

    /// Makes one below `parent`, for what is too large for the temporary folder, which may be in memory.
    ///
    /// # Errors
    /// When nothing can be written there.
    pub fn below(parent: &Utf8Path) -> Result<Self> {
        fs_err::create_dir_all(parent)?;
        loop {
            let dir = tempfile::Builder::new()
                .prefix("vm-")
                .permissions(std::fs::Permissions::from_mode(0o700))
                .tempdir_in(parent)?;
            let path = Utf8PathBuf::from_path_buf(dir.path().to_owned())
                .map_err(|path| Error::Machine(format!("{} is not UTF-8", path.display())))?;
            let mut owner = File::create(path.join(OWNER))?;
            let locked = flock(&owner, FlockOperation::NonBlockingLockExclusive).is_ok();
            // A sweep may have come between the making and the locking, and took it for an orphan.
            if locked && path.join(OWNER).exists() {
                writeln!(owner, "{}", std::process::id())?;
                return Ok(Self {
                    dir,
                    _removal: RemovedOnDrop::new(&path),
                    _owner: owner,
                });
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

/// The folders of owners that are gone, which [`sweep`] would remove.
///
/// # Errors
/// When the user's folder can't be read.
pub fn orphans() -> Result<Vec<Utf8PathBuf>> {
    let entries = parent()?.read_dir_utf8()?.flatten();
    let dirs = entries.map(camino::Utf8DirEntry::into_path);
    let orphaned = |dir: &Utf8PathBuf| {
        File::open(dir.join(OWNER))
            .is_ok_and(|owner| flock(&owner, FlockOperation::NonBlockingLockExclusive).is_ok())
    };
    Ok(dirs.filter(orphaned).collect())
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
        let scratch = Scratch::below(&parent).unwrap();
        let path = scratch.path().to_owned();
        assert_eq!(fs_err::metadata(&path).unwrap().mode() & 0o777, 0o700);
        let owner = fs_err::read_to_string(path.join(OWNER)).unwrap();
        assert_eq!(owner.trim(), std::process::id().to_string());
        drop(scratch);
        assert!(!path.exists());
    }

    #[test]
    fn what_is_doomed_goes_unless_it_was_renamed() {
        let (_guard, parent) = temp();
        let (gone, kept) = (parent.join("gone"), parent.join("kept"));
        for dir in [&gone, &kept] {
            fs_err::create_dir(dir).unwrap();
        }
        let (one, other) = (RemovedOnDrop::new(&gone), RemovedOnDrop::new(&kept));
        fs_err::rename(&kept, parent.join("named")).unwrap();
        drop((one, other));
        assert!(!gone.exists());
        assert!(parent.join("named").exists());
    }

    #[test]
    fn a_sweep_takes_the_orphans_and_leaves_the_living() {
        let (_guard, parent) = temp();
        let living = Scratch::below(&parent).unwrap();
        let orphan = parent.join("vm-orphan");
        fs_err::create_dir(&orphan).unwrap();
        fs_err::write(orphan.join(OWNER), "").unwrap();
        assert_eq!(sweep_under(&parent).unwrap(), 1);
        assert!(!orphan.exists());
        assert!(living.path().exists());
    }
}
