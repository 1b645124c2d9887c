//! Keeps the layers within bounds: the least recently used go first, and none that is in use.

use std::{
    fs::File,
    os::unix::fs::MetadataExt,
    time::{Duration, SystemTime},
};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{FlockOperation, flock};

use super::record::RECORD;
use crate::error::Result;

/// How much may be kept.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Bytes in use on the disk, all layers together.
    pub bytes: u64,
    /// How long a layer may go unused.
    pub age: Duration,
}

impl Default for Bounds {
    /// 12 GiB, which is some thirty layers, and two weeks.
    fn default() -> Self {
        Self {
            bytes: 12 << 30,
            age: Duration::from_secs(14 * 86_400),
        }
    }
}

struct Found {
    dir: Utf8PathBuf,
    lock: Utf8PathBuf,
    bytes: u64,
    used: SystemTime,
}

/// Notes that the layer guarded by `lock` is being used now.
pub(super) fn touch(lock: &Utf8Path) {
    // Only the order of eviction depends on it.
    if let Ok(file) = File::options().write(true).open(lock) {
        let _ = file.set_modified(SystemTime::now());
    }
}

/// Removes layers in `dir` until the rest is within `bounds`; returns how many went. What builders
/// left that were killed goes, too.
///
/// # Errors
/// When the folder can't be read.
pub(super) fn evict(dir: &Utf8Path, bounds: Bounds) -> Result<usize> {
    let mut found = Vec::new();
    let mut evicted = 0;
    for entry in dir.read_dir_utf8()? {
        let path = entry?.into_path();
        let Some(name) = path.file_name() else {
            continue;
        };
        let key = name.strip_prefix(".building-").unwrap_or(name);
        let lock = dir.join(format!("{key}.lock"));
        if !path.is_dir() {
            continue;
        }
        if path.join(RECORD).exists() {
            found.push(Found {
                bytes: size(&path),
                used: modified(&lock),
                dir: path,
                lock,
            });
        } else {
            evicted += usize::from(remove(&path, &lock));
        }
    }
    found.sort_by_key(|layer| layer.used);
    let mut total: u64 = found.iter().map(|layer| layer.bytes).sum();
    for layer in found {
        let unused = layer.used.elapsed().unwrap_or_default();
        if (total > bounds.bytes || unused > bounds.age) && remove(&layer.dir, &layer.lock) {
            total -= layer.bytes;
            evicted += 1;
        }
    }
    Ok(evicted)
}

/// Removes `dir` unless somebody holds `lock`. The record goes first: what is left of a removal
/// that is cut short is no layer.
pub(super) fn remove(dir: &Utf8Path, lock: &Utf8Path) -> bool {
    let options = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(lock);
    let Ok(file) = options else {
        return false;
    };
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        return false;
    }
    let _ = std::fs::remove_file(dir.join(RECORD));
    let _ = std::fs::remove_file(lock.with_extension("checked"));
    std::fs::remove_dir_all(dir).is_ok()
}

pub(super) fn size(dir: &Utf8Path) -> u64 {
    let entries = dir.read_dir_utf8().into_iter().flatten().flatten();
    let blocks = entries.filter_map(|entry| Some(entry.metadata().ok()?.blocks()));
    blocks.sum::<u64>() * 512
}

pub(super) fn modified(path: &Utf8Path) -> SystemTime {
    let meta = path.metadata().and_then(|meta| meta.modified());
    meta.unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> (tempfile::TempDir, Utf8PathBuf) {
        let guard = tempfile::tempdir().unwrap();
        let dir = Utf8PathBuf::from_path_buf(guard.path().to_owned()).unwrap();
        (guard, dir)
    }

    fn layer(dir: &Utf8Path, key: &str, hours: u64) {
        fs_err::create_dir(dir.join(key)).unwrap();
        fs_err::write(dir.join(key).join("ram"), vec![1; 1 << 20]).unwrap();
        fs_err::write(dir.join(key).join(RECORD), "{}").unwrap();
        let lock = File::create(dir.join(format!("{key}.lock"))).unwrap();
        let used = SystemTime::now() - Duration::from_secs(hours * 3600);
        lock.set_modified(used).unwrap();
    }

    fn bounds(mib: u64) -> Bounds {
        Bounds {
            bytes: mib << 20,
            age: Duration::from_secs(100 * 3600),
        }
    }

    #[test]
    fn the_least_recently_used_go_until_the_rest_fits() {
        let (_guard, dir) = cache();
        for (key, hours) in [("new", 1), ("old", 30), ("older", 60)] {
            layer(&dir, key, hours);
        }
        assert_eq!(
            evict(&dir, bounds(2)).unwrap(),
            2,
            "each is a little over 1 MiB"
        );
        assert!(dir.join("new").exists());
        assert!(!dir.join("old").exists() && !dir.join("older").exists());
    }

    #[test]
    fn what_nobody_used_for_long_goes_although_there_is_room() {
        let (_guard, dir) = cache();
        layer(&dir, "new", 1);
        layer(&dir, "ancient", 101);
        assert_eq!(evict(&dir, bounds(1000)).unwrap(), 1);
        assert!(!dir.join("ancient").exists());
    }

    #[test]
    fn what_is_in_use_stays() {
        let (_guard, dir) = cache();
        layer(&dir, "used", 200);
        let lock = File::open(dir.join("used.lock")).unwrap();
        flock(&lock, FlockOperation::LockShared).unwrap();
        assert_eq!(evict(&dir, bounds(0)).unwrap(), 0);
        drop(lock);
        assert_eq!(evict(&dir, bounds(0)).unwrap(), 1);
    }

    #[test]
    fn leftovers_of_a_killed_builder_go() {
        let (_guard, dir) = cache();
        fs_err::create_dir(dir.join(".building-abc")).unwrap();
        fs_err::write(dir.join(".building-abc/ram"), "x").unwrap();
        assert_eq!(evict(&dir, bounds(1000)).unwrap(), 1);
    }
}
