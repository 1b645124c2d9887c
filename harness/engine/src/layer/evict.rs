//! Keeps the layers within bounds: the least recently used go first, and none that is in use.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::ErrorKind::NotFound,
    os::unix::fs::MetadataExt,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, SystemTime},
};

use camino::{Utf8Path, Utf8PathBuf};

use super::{
    list::{Listed, list_in},
    lock::Lock,
    record::RECORD,
};
use crate::util::{error::Result, scratch::RemovedOnDrop};

/// How much may be kept.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Bytes in use on the disk, all layers together.
    pub bytes: u64,
    /// How long a layer may go unused.
    pub age: Duration,
}

impl Default for Bounds {
    /// 16 GiB, which is some forty layers (the matrix in ci/ has thirty), and two weeks.
    fn default() -> Self {
        Self {
            bytes: 16 << 30,
            age: Duration::from_secs(14 * 86_400),
        }
    }
}

/// Notes that the layer guarded by `lock` is being used now.
pub(super) fn touch(lock: &Utf8Path) {
    // Only the order of eviction depends on it.
    if let Ok(file) = File::options().write(true).open(lock) {
        let _ = file.set_modified(SystemTime::now());
    }
}

/// Removes layers in `dir` until the rest is within `bounds`; returns how many went. What nobody can
/// use goes, too: what killed builders left, layers whose parent was built again, locks of nothing.
///
/// # Errors
/// When the folder can't be read.
pub(super) fn evict(dir: &Utf8Path, bounds: Bounds) -> Result<usize> {
    let layers = list_in(dir)?;
    let mut evicted = 0;
    for at in beyond(&layers, bounds, SystemTime::now()) {
        evicted += usize::from(remove(&layers[at].dir, &layers[at].lock));
    }
    for entry in dir.read_dir_utf8()? {
        let lock = entry?.into_path();
        let guarded = lock.with_extension("");
        if lock.extension() == Some("lock") && !guarded.exists() {
            remove(&guarded, &lock);
        }
    }
    Ok(evicted)
}

/// A folder for building a layer in, which nobody else has: whoever removes the cache removes the
/// layer's lock, and then there may be two builders. Its own lock tells whether its builder lives.
#[derive(Debug)]
pub(super) struct Building {
    /// The folder.
    pub(super) dir: Utf8PathBuf,
    lock: Utf8PathBuf,
    // An interruption, the second one, ends the process where it stands.
    _removal: RemovedOnDrop,
    _held: Lock,
}

impl Building {
    /// Makes the folder for the layer `dir`.
    pub(super) fn new(dir: &Utf8Path) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let key = dir.file_name().unwrap_or_default();
        let name = format!("{key}.{}-{count}", std::process::id());
        let lock = dir.with_file_name(format!("{name}.lock"));
        fs_err::File::create(&lock)?;
        // Between the two lines somebody may have taken the file for one that guards nothing.
        let held = Lock::sole(&lock).ok_or_else(|| std::io::Error::from(NotFound))?;
        let dir = dir.with_file_name(format!("{BUILDING}{name}"));
        fs_err::create_dir(&dir)?;
        Ok(Self {
            _removal: RemovedOnDrop::new(&dir),
            dir,
            lock,
            _held: held,
        })
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        // What was built has another name by now.
        let _ = std::fs::remove_dir_all(&self.dir);
        let _ = std::fs::remove_file(&self.lock);
    }
}

const BUILDING: &str = ".building-";

/// The key of the layer in the folder called `name`, or of the one that is built there.
pub(super) fn key_of(name: &str) -> &str {
    let name = name.strip_prefix(BUILDING).unwrap_or(name);
    name.split_once('.').map_or(name, |(key, _)| key)
}

/// The lock of the folder called `name` in `dir`.
pub(super) fn lock_of(dir: &Utf8Path, name: &str) -> Utf8PathBuf {
    let name = name.strip_prefix(BUILDING).unwrap_or(name);
    dir.join(format!("{name}.lock"))
}

/// Removes what builders of the layer `dir` left that died.
pub(super) fn remove_half_built(dir: &Utf8Path) -> Result<()> {
    let (Some(parent), Some(key)) = (dir.parent(), dir.file_name()) else {
        return Ok(());
    };
    for entry in parent.read_dir_utf8()? {
        let path = entry?.into_path();
        let name = path.file_name().unwrap_or_default();
        if name.starts_with(BUILDING) && key_of(name) == key {
            remove(&path, &lock_of(parent, name));
        }
    }
    Ok(())
}

/// Which of `layers` go, in that order, so that the rest is within `bounds`. A layer was used when
/// one that stands on it was, so a tree loses its leaves first.
pub(super) fn beyond(layers: &[Listed], bounds: Bounds, now: SystemTime) -> Vec<usize> {
    let useless = useless(layers);
    let used = used(layers);
    let mut order: Vec<usize> = (0..layers.len()).collect();
    order.sort_by_key(|at| {
        let layer = &layers[*at];
        (
            !useless.contains(at),
            used.get(layer.key.as_str()).copied().unwrap_or(layer.used),
            Reverse(depth(layers, layer)),
        )
    });
    let mut total: u64 = layers.iter().map(|layer| layer.bytes).sum();
    order.retain(|at| {
        let layer = &layers[*at];
        let used = used.get(layer.key.as_str()).copied().unwrap_or(layer.used);
        let unused = now.duration_since(used).unwrap_or_default();
        let goes = useless.contains(at) || total > bounds.bytes || unused > bounds.age;
        let goes = goes && !layer.in_use;
        if goes {
            total = total.saturating_sub(layer.bytes);
        }
        goes
    });
    order
}

/// Those without a record, and those that stand on a build which is no more, or on one of these.
fn useless(layers: &[Listed]) -> BTreeSet<usize> {
    let mut builds: BTreeMap<&str, &str> = layers
        .iter()
        .filter_map(|layer| Some((layer.key.as_str(), layer.record.as_ref()?.build.as_str())))
        .collect();
    let mut useless = BTreeSet::new();
    // One floor of the tree further up each time.
    for _ in layers {
        for (at, layer) in layers.iter().enumerate() {
            let stands = layer.record.as_ref().is_some_and(|record| {
                let parent = record.parent.as_ref();
                parent.is_none_or(|(key, build)| builds.get(key.as_str()) == Some(&build.as_str()))
            });
            if !stands {
                useless.insert(at);
                builds.remove(layer.key.as_str());
            }
        }
    }
    useless
}

/// When each was used, itself or what stands on it, by key.
fn used(layers: &[Listed]) -> BTreeMap<&str, SystemTime> {
    let mut used: BTreeMap<&str, SystemTime> = layers
        .iter()
        .map(|layer| (layer.key.as_str(), layer.used))
        .collect();
    // One floor of the tree further down each time.
    for _ in layers {
        for layer in layers {
            let above = used.get(layer.key.as_str()).copied();
            let parent = layer.parent().and_then(|parent| used.get_mut(parent));
            if let (Some(above), Some(parent)) = (above, parent) {
                *parent = above.max(*parent);
            }
        }
    }
    used
}

fn depth(layers: &[Listed], layer: &Listed) -> usize {
    let mut depth = 0;
    let mut at = Some(layer);
    while let Some(parent) = at.and_then(Listed::parent).filter(|_| depth < layers.len()) {
        at = layers.iter().find(|layer| layer.key == parent);
        depth += 1;
    }
    depth
}

/// Removes `dir` unless somebody holds `lock`, and the lock with it. The record goes first: what is
/// left of a removal that is cut short is no layer. The lock goes last: as long as there is anything to
/// remove, there is a lock for those who want to build it.
pub(super) fn remove(dir: &Utf8Path, lock: &Utf8Path) -> bool {
    // A folder whose lock is gone has no users, or they have given up on it.
    let missing = File::options().append(true).create(true).open(lock);
    let Some(_held) = missing.ok().and_then(|_| Lock::sole(lock)) else {
        return false;
    };
    let _ = std::fs::remove_file(dir.join(RECORD));
    let _ = std::fs::remove_file(lock.with_extension("checked"));
    let gone = match std::fs::remove_dir_all(dir) {
        Err(error) => error.kind() == NotFound,
        Ok(()) => true,
    };
    if gone {
        let _ = std::fs::remove_file(lock);
    }
    gone
}

/// What is in `dir` and in the folders below it, in bytes in use on the disk.
pub(super) fn size(dir: &Utf8Path) -> u64 {
    let entries = dir.read_dir_utf8().into_iter().flatten().flatten();
    let sizes = entries.filter_map(|entry| {
        // Of a link itself, and not of what it leads to.
        let meta = entry.metadata().ok()?;
        let below = if meta.is_dir() { size(entry.path()) } else { 0 };
        Some(meta.blocks() * 512 + below)
    });
    sizes.sum()
}

pub(super) fn modified(path: &Utf8Path) -> SystemTime {
    let meta = path.metadata().and_then(|meta| meta.modified());
    meta.unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use rustix::fs::{FlockOperation, flock};

    use super::*;
    use crate::layer::list::tests::{cache, layer, layer_on};

    const DAY: Duration = Duration::from_secs(86_400);

    fn bounds(kib: u64, age: Duration) -> Bounds {
        Bounds {
            bytes: kib << 10,
            age,
        }
    }

    fn left(dir: &Utf8Path) -> BTreeSet<String> {
        let layers = list_in(dir).unwrap();
        layers.iter().map(|layer| layer.name().to_owned()).collect()
    }

    fn names<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
        names.into_iter().map(str::to_owned).collect()
    }

    /// Files beside the layers.
    fn beside(dir: &Utf8Path) -> Vec<Utf8PathBuf> {
        let entries = dir.read_dir_utf8().unwrap().map(|entry| entry.unwrap());
        let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
        files.map(camino::Utf8DirEntry::into_path).collect()
    }

    #[test]
    fn the_least_recently_used_go_until_the_rest_fits() {
        let (_guard, cache) = cache();
        for (name, hours) in [("new", 1), ("old", 30), ("older", 60)] {
            layer(&cache, name, None, hours);
        }
        let dir = cache.join("layers");
        // Each has 3 files of 4 KiB, and its record.
        assert_eq!(evict(&dir, bounds(20, 10 * DAY)).unwrap(), 2);
        assert_eq!(left(&dir), names(["new"]));
        assert_eq!(beside(&dir).len(), 1, "the locks of the others are gone");
    }

    #[test]
    fn what_nobody_used_for_long_goes_although_there_is_room() {
        let (_guard, cache) = cache();
        layer(&cache, "new", None, 1);
        layer(&cache, "ancient", None, 101);
        let dir = cache.join("layers");
        assert_eq!(evict(&dir, bounds(1 << 20, 4 * DAY)).unwrap(), 1);
        assert_eq!(left(&dir), names(["new"]));
    }

    #[test]
    fn a_tree_loses_its_leaves_first_and_lives_as_long_as_one_is_used() {
        let (_guard, cache) = cache();
        let booted = layer(&cache, "booted", None, 200);
        let host = layer_on(&cache, "host", &booted, 190);
        layer_on(&cache, "deployed", &host, 1);
        layer_on(&cache, "unused", &booted, 150);
        let dir = cache.join("layers");
        assert_eq!(evict(&dir, bounds(1 << 20, 4 * DAY)).unwrap(), 1);
        assert_eq!(left(&dir), names(["booted", "host", "deployed"]));
        // Room for two: the leaf goes, and what it stands on can still be used.
        assert_eq!(evict(&dir, bounds(36, 4 * DAY)).unwrap(), 1);
        assert_eq!(left(&dir), names(["booted", "host"]));
    }

    #[test]
    fn what_stands_on_another_build_of_its_parent_goes() {
        let (_guard, cache) = cache();
        let booted = layer(&cache, "booted", None, 1);
        let host = layer_on(&cache, "host", &booted, 1);
        layer_on(&cache, "deployed", &host, 1);
        layer(&cache, "booted", None, 1);
        let dir = cache.join("layers");
        assert_eq!(evict(&dir, Bounds::default()).unwrap(), 2);
        assert_eq!(left(&dir), names(["booted"]));
    }

    #[test]
    fn what_is_in_use_stays() {
        let (_guard, cache) = cache();
        let key = layer(&cache, "used", None, 200);
        let dir = cache.join("layers");
        let lock = File::open(dir.join(format!("{key}.lock"))).unwrap();
        flock(&lock, FlockOperation::LockShared).unwrap();
        assert_eq!(evict(&dir, bounds(0, DAY)).unwrap(), 0);
        drop(lock);
        assert_eq!(evict(&dir, bounds(0, DAY)).unwrap(), 1);
    }

    #[test]
    fn leftovers_of_a_killed_builder_and_of_a_killed_removal_go() {
        let (_guard, cache) = cache();
        let dir = cache.join("layers");
        fs_err::create_dir_all(dir.join(".building-abc.1-0")).unwrap();
        fs_err::write(dir.join(".building-abc.1-0/ram"), "x").unwrap();
        fs_err::write(dir.join("abc.lock"), "").unwrap();
        fs_err::create_dir(dir.join("def")).unwrap();
        fs_err::write(dir.join("def/ram"), "x").unwrap();
        fs_err::write(dir.join("ghi.lock"), "").unwrap();
        assert_eq!(evict(&dir, bounds(1000, DAY)).unwrap(), 2);
        assert_eq!(dir.read_dir_utf8().unwrap().count(), 0);
    }

    #[test]
    fn a_builder_removes_what_one_before_it_left_and_nothing_of_one_that_lives() {
        let (_guard, cache) = cache();
        let dir = cache.join("layers");
        for name in [".building-abc.1-0", ".building-abd.1-0"] {
            fs_err::create_dir_all(dir.join(name)).unwrap();
        }
        let living = Building::new(&dir.join("abc")).unwrap();
        let other = Building::new(&dir.join("abc")).unwrap();
        assert_ne!(living.dir, other.dir);
        remove_half_built(&dir.join("abc")).unwrap();
        evict(&dir, Bounds::default()).unwrap();
        assert_eq!(list_in(&dir).unwrap().len(), 2);
        assert!(
            list_in(&dir)
                .unwrap()
                .iter()
                .all(|half| half.key == "abc" && half.in_use)
        );
        drop((living, other));
        assert_eq!(dir.read_dir_utf8().unwrap().count(), 0);
    }
}
