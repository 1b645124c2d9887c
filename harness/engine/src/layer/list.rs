//! The layers that the cache holds, for people to look at.

use std::{
    fs::File,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{FlockOperation, flock};

use super::{
    evict::{key_of, lock_of, modified, size},
    record::{LayerRecord, RECORD},
};
use crate::util::error::Result;

/// A layer in the cache, or what is left of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its folder.
    pub dir: Utf8PathBuf,
    /// The file whose lock its users hold.
    pub lock: Utf8PathBuf,
    /// Its key: 32 hexadecimal digits.
    pub key: String,
    /// Bytes in use on the disk, which for a memory file is far less than its length.
    pub bytes: u64,
    /// When a run started from it last, or built it.
    pub used: SystemTime,
    /// Whether a process holds its lock at this moment: a user, or its builder.
    pub in_use: bool,
    /// Its record; none if its builder is at work, was killed, or the record is damaged.
    pub record: Option<LayerRecord>,
}

impl Listed {
    /// Its name, such as `deployed`; `unfinished` for what has no record.
    #[must_use]
    pub fn name(&self) -> &str {
        self.record
            .as_ref()
            .map_or("unfinished", |record| &record.name)
    }

    /// When it was built.
    #[must_use]
    pub fn built(&self) -> Option<SystemTime> {
        let seconds = u64::try_from(self.record.as_ref()?.built_at).ok()?;
        Some(UNIX_EPOCH + Duration::from_secs(seconds))
    }

    /// The key of the layer that it stands on.
    #[must_use]
    pub fn parent(&self) -> Option<&str> {
        let (key, _) = self.record.as_ref()?.parent.as_ref()?;
        Some(key.as_str())
    }
}

/// The layers below the cache `cache`, the least recently used first. None if there is no such folder.
///
/// # Errors
/// When the folder can't be read.
pub fn list(cache: &Utf8Path) -> Result<Vec<Listed>> {
    list_in(&cache.join("layers"))
}

pub(super) fn list_in(dir: &Utf8Path) -> Result<Vec<Listed>> {
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in dir.read_dir_utf8()? {
        let path = entry?.into_path();
        let Some(name) = path.file_name().filter(|_| path.is_dir()) else {
            continue;
        };
        let key = key_of(name).to_owned();
        let lock = lock_of(dir, name);
        let record = LayerRecord::read(&path.join(RECORD));
        let mut listed = Listed {
            bytes: size(&path),
            used: modified(&lock),
            in_use: held(&lock),
            record,
            key,
            lock,
            dir: path,
        };
        // One whose lock is gone does not say when it was used last, but not before it was built.
        if listed.used == UNIX_EPOCH {
            listed.used = listed.built().unwrap_or(UNIX_EPOCH);
        }
        found.push(listed);
    }
    found.sort_by(|a, b| (a.used, &a.key).cmp(&(b.used, &b.key)));
    Ok(found)
}

/// Whether somebody holds `lock`. The kernel tells only whoever tries; what it grants is let go of
/// at once, and those who wait for a lock look again within a moment.
pub(super) fn held(lock: &Utf8Path) -> bool {
    File::open(lock)
        .is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockExclusive).is_err())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::layer::{
        key::Key,
        record::{DISK, RAM, STATE},
    };

    pub(crate) fn cache() -> (tempfile::TempDir, Utf8PathBuf) {
        let guard = tempfile::tempdir().unwrap();
        let dir = Utf8PathBuf::from_path_buf(guard.path().to_owned()).unwrap();
        (guard, dir)
    }

    /// Puts a layer into `cache` that stands on `parent` as it is, and was used `hours` ago.
    pub(crate) fn layer_on(cache: &Utf8Path, name: &str, parent: &Key, hours: u64) -> Key {
        let record = cache.join("layers").join(parent.as_str()).join(RECORD);
        let build = LayerRecord::read(&record).unwrap().build;
        layer(cache, name, Some((parent.clone(), build)), hours)
    }

    /// Puts a layer into `cache` that was used `hours` ago.
    pub(crate) fn layer(
        cache: &Utf8Path,
        name: &str,
        parent: Option<(Key, String)>,
        hours: u64,
    ) -> Key {
        let key = Key::root([("name", name)]);
        let dir = cache.join("layers").join(key.as_str());
        fs_err::create_dir_all(&dir).unwrap();
        for file in [RAM, STATE, DISK] {
            fs_err::write(dir.join(file), vec![1; 4096]).unwrap();
        }
        LayerRecord::of(&dir, name, &key, parent, &[], 7)
            .unwrap()
            .write(&dir)
            .unwrap();
        let lock = File::create(cache.join(format!("layers/{key}.lock"))).unwrap();
        lock.set_modified(SystemTime::now() - Duration::from_secs(hours * 3600))
            .unwrap();
        key
    }

    #[test]
    fn an_empty_cache_has_none() {
        let (_guard, cache) = cache();
        assert_eq!(list(&cache).unwrap(), []);
        fs_err::create_dir(cache.join("layers")).unwrap();
        assert_eq!(list(&cache).unwrap(), []);
    }

    #[test]
    fn the_least_recently_used_comes_first_with_what_is_known_of_it() {
        let (_guard, cache) = cache();
        let booted = layer(&cache, "booted", None, 1);
        layer_on(&cache, "host", &booted, 5);
        let found = list(&cache).unwrap();
        let names: Vec<_> = found.iter().map(Listed::name).collect();
        assert_eq!(names, ["host", "booted"]);
        assert_eq!(found[0].parent(), Some(booted.as_str()));
        assert!(found[0].bytes >= 3 * 4096, "{} bytes", found[0].bytes);
        assert!(found[0].built().is_some());
        assert!(!found[0].in_use);
    }

    #[test]
    fn one_whose_lock_is_gone_was_used_when_it_was_built() {
        let (_guard, cache) = cache();
        let key = layer(&cache, "booted", None, 100);
        let lock = cache.join(format!("layers/{key}.lock"));
        fs_err::remove_file(lock).unwrap();
        let found = list(&cache).unwrap();
        assert_eq!(Some(found[0].used), found[0].built());
    }

    #[test]
    fn a_held_lock_shows_and_so_does_what_a_builder_left() {
        let (_guard, cache) = cache();
        let key = layer(&cache, "booted", None, 1);
        let lock = File::open(cache.join(format!("layers/{key}.lock"))).unwrap();
        flock(&lock, FlockOperation::LockShared).unwrap();
        fs_err::create_dir(cache.join("layers/.building-abc")).unwrap();
        let found = list(&cache).unwrap();
        assert_eq!(found[0].name(), "unfinished");
        assert!(!found[0].in_use);
        assert!(found[1].in_use);
    }
}
