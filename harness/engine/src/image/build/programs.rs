//! The tree that NixOS hosts have their programs from, kept in the cache: the next nixpkgs has the same programs, and
//! mmdebstrap takes a minute or two for them.

use std::{
    fs::File,
    time::{Duration, SystemTime},
};

use camino::{Utf8Path, Utf8PathBuf};

use super::{
    nixos::PROGRAMS,
    preflight::Tools,
    trees::{self, TreePlan},
    workdir::Workdir,
};
use crate::image::{
    cache::{LOCK_LIMIT, Refresh},
    error::{Doing as _, ImageError},
    lock::ImageLock,
    stop::Stop,
};

/// Longer than this a tree may not go unused: 14 days, as layers.
pub(crate) const AGE: Duration = Duration::from_secs(14 * 86_400);

/// How the name of a tree begins that is not in its place yet, and that of the lock of who puts it there.
const NEW: &str = ".new-";
const LOCK: &str = ".lock-";

/// The trees of the cache.
#[derive(Debug)]
pub(crate) struct Programs {
    /// Their folder, for the caller only.
    pub(crate) folder: Utf8PathBuf,
    /// Whether they are made anew.
    pub(crate) refresh: Refresh,
}

impl Programs {
    /// Puts the tree of `plan` into the work folder, as a name of the file in the cache. One that is not there is made;
    /// two processes do not make the same one at once. Returns whether it was there.
    pub(crate) fn put(
        &self,
        plan: &TreePlan<'_>,
        tools: &Tools,
        work: &Workdir,
    ) -> Result<bool, ImageError> {
        self.put_with(&trees::key(plan), &work.work(), work.stop(), || {
            trees::build(plan, tools, work).map_err(|error| work.explain(error))
        })
    }

    fn put_with(
        &self,
        key: &str,
        work: &Utf8Path,
        stop: &Stop,
        build: impl FnOnce() -> Result<(), ImageError>,
    ) -> Result<bool, ImageError> {
        let name = &key[..16];
        let kept = self.folder.join(format!("{name}.tar"));
        let target = work.join(format!("{PROGRAMS}.tar"));
        let lock = self.folder.join(format!("{LOCK}{name}"));
        let _lock = ImageLock::wait(&lock, PROGRAMS, LOCK_LIMIT, stop)?;
        self.evict()?;
        if self.refresh == Refresh::No && std::fs::hard_link(&kept, &target).is_ok() {
            let file = File::options().append(true).open(&kept);
            file.and_then(|file| file.set_modified(SystemTime::now()))
                .doing("write", &kept)?;
            return Ok(true);
        }
        build()?;
        // What has the name is whole, whenever the machine's power fails.
        File::open(&target)
            .and_then(|file| file.sync_all())
            .doing("write", &target)?;
        let new = self.folder.join(format!("{NEW}{name}"));
        let _ = std::fs::remove_file(&new);
        std::fs::hard_link(&target, &new).doing("link", &new)?;
        std::fs::rename(&new, &kept).doing("rename", new)?;
        Ok(false)
    }

    /// Removes the trees that no build used for long.
    fn evict(&self) -> Result<(), ImageError> {
        remove_unused(&self.folder, AGE).map(drop)
    }
}

/// The trees in `folder`, with their sizes in bytes. None if there is no such folder.
pub(crate) fn trees(folder: &Utf8Path) -> Result<Vec<(Utf8PathBuf, u64)>, ImageError> {
    files(folder, |name| {
        name.ends_with(".tar") && !name.starts_with('.')
    })
}

/// Removes the trees in `folder` that no build used for `age`, and returns them. A build that has one has a name of its
/// own for it.
pub(crate) fn remove_unused(
    folder: &Utf8Path,
    age: Duration,
) -> Result<Vec<(Utf8PathBuf, u64)>, ImageError> {
    let mut removed = trees(folder)?;
    removed.retain(|(path, _)| {
        let used = std::fs::metadata(path).and_then(|meta| meta.modified());
        let unused = used.ok().and_then(|used| used.elapsed().ok());
        unused.is_some_and(|unused| unused >= age)
    });
    for (path, _) in &removed {
        std::fs::remove_file(path).doing("remove", path)?;
    }
    Ok(removed)
}

/// What builds left in `folder` that were killed while they put a tree there: nobody holds the lock of its name.
pub(crate) fn leftovers(folder: &Utf8Path) -> Result<Vec<Utf8PathBuf>, ImageError> {
    let mut found = vec![];
    for (path, _) in files(folder, |name| name.starts_with(NEW))? {
        let name = path.file_name().and_then(|name| name.strip_prefix(NEW));
        let lock = folder.join(format!("{LOCK}{}", name.unwrap_or_default()));
        if ImageLock::attempt(&lock)?.is_some() {
            found.push(path);
        }
    }
    Ok(found)
}

fn files(
    folder: &Utf8Path,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<(Utf8PathBuf, u64)>, ImageError> {
    let mut found = vec![];
    if !folder.is_dir() {
        return Ok(found);
    }
    for entry in folder.read_dir_utf8().doing("read", folder)? {
        let entry = entry.doing("read", folder)?;
        if wanted(entry.file_name()) {
            let size = entry.metadata().map_or(0, |meta| meta.len());
            found.push((entry.into_path(), size));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_made_once_and_again_when_it_is_to_be_fresh_or_has_gone_unused() {
        let dir = tempfile::tempdir().expect("a folder");
        let root = Utf8Path::from_path(dir.path()).expect("UTF-8");
        let put = |refresh, text: &str| {
            let work = tempfile::tempdir_in(root).expect("a folder");
            let work = Utf8Path::from_path(work.path()).expect("UTF-8").to_owned();
            let programs = Programs {
                folder: root.join("programs"),
                refresh,
            };
            let target = work.join("programs.tar");
            let there = programs
                .put_with(&"a".repeat(64), &work, &Stop::default(), || {
                    std::fs::write(&target, text).doing("write", &target)
                })
                .expect("a tree");
            (there, std::fs::read_to_string(&target).expect("read"))
        };
        std::fs::create_dir(root.join("programs")).expect("made");
        assert_eq!(put(Refresh::No, "first"), (false, "first".into()));
        assert_eq!(put(Refresh::No, "second"), (true, "first".into()));
        assert_eq!(put(Refresh::Yes, "third"), (false, "third".into()));
        assert_eq!(put(Refresh::No, "fourth"), (true, "third".into()));
        let kept = root
            .join("programs")
            .join(format!("{}.tar", "a".repeat(16)));
        let file = File::options().append(true).open(kept).expect("opened");
        file.set_modified(SystemTime::now() - 2 * AGE).expect("set");
        assert_eq!(put(Refresh::No, "fifth"), (false, "fifth".into()));
    }

    #[test]
    fn trees_are_removed_when_they_are_old_and_leftovers_when_nobody_makes_them() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = Utf8Path::from_path(dir.path()).expect("UTF-8");
        for name in ["old.tar", "new.tar", ".new-dead", ".new-made", ".lock-old"] {
            std::fs::write(folder.join(name), "12345").expect("written");
        }
        let old = File::options().append(true).open(folder.join("old.tar"));
        let past = SystemTime::now() - Duration::from_secs(3600);
        old.and_then(|file| file.set_modified(past)).expect("set");
        let _lock = ImageLock::attempt(&folder.join(".lock-made")).expect("a lock");
        assert_eq!(leftovers(folder).expect("read"), [folder.join(".new-dead")]);
        let removed = remove_unused(folder, Duration::from_secs(1800)).expect("removed");
        assert_eq!(removed, [(folder.join("old.tar"), 5)]);
        assert_eq!(trees(folder).expect("read"), [(folder.join("new.tar"), 5)]);
        assert!(folder.join(".new-made").exists());
    }

    #[test]
    fn what_could_not_be_made_is_not_kept() {
        let dir = tempfile::tempdir().expect("a folder");
        let root = Utf8Path::from_path(dir.path()).expect("UTF-8");
        let programs = Programs {
            folder: root.to_owned(),
            refresh: Refresh::No,
        };
        let stopped = || {
            Err(ImageError::Stopped {
                step: "it".to_owned(),
            })
        };
        let result = programs.put_with(&"b".repeat(64), root, &Stop::default(), stopped);
        assert!(result.is_err());
        assert!(!root.join(format!("{}.tar", "b".repeat(16))).exists());
    }
}
