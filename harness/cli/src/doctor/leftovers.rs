//! What runs left behind that were killed: whatever has an owner's lock that nobody holds any more.

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use spawnlab::{
    image::{self, ImageError},
    layer::{
        clean::{Which, clean},
        list,
    },
    util::scratch,
};

/// By kind, each with its folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Leftovers {
    /// Folders of VMs.
    pub scratch: Vec<Utf8PathBuf>,
    /// Unfinished images, and trees of programs for them.
    pub images: Vec<Utf8PathBuf>,
    /// Unfinished layers.
    pub layers: Vec<Utf8PathBuf>,
}

impl Leftovers {
    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Utf8PathBuf> {
        self.scratch.iter().chain(&self.images).chain(&self.layers)
    }
}

/// Looks in the temporary folder and in `cache`; nothing is changed.
#[must_use]
pub fn find(cache: Option<&Utf8Path>) -> Leftovers {
    let mut found = Leftovers {
        scratch: scratch::orphans().unwrap_or_default(),
        ..Leftovers::default()
    };
    let Some(cache) = cache.filter(|dir| dir.is_dir()) else {
        return found;
    };
    if let Ok(cache) = image::Cache::at(cache) {
        found.images = cache.leftovers().unwrap_or_default();
    }
    found.layers = unfinished(cache).into_iter().map(|(_, dir)| dir).collect();
    found
}

/// Keys and folders of layers that nobody builds any more.
fn unfinished(cache: &Utf8Path) -> Vec<(String, Utf8PathBuf)> {
    let layers = list::list(cache).unwrap_or_default();
    layers
        .into_iter()
        .filter(|layer| layer.record.is_none() && !layer.in_use)
        .map(|layer| (layer.key, layer.dir))
        .collect()
}

/// Removes them. What is in use by now stays, and so does what can't be removed.
///
/// # Errors
/// What could not be looked at.
pub fn remove(cache: Option<&Utf8Path>) -> Result<(), String> {
    scratch::sweep().map_err(|error| error.to_string())?;
    let Some(dir) = cache.filter(|dir| dir.is_dir()) else {
        return Ok(());
    };
    let said = |error: ImageError| error.to_string();
    image::Cache::at(dir)
        .and_then(|cache| cache.sweep_all())
        .map_err(said)?;
    let keys = unfinished(dir).into_iter().map(|(key, _)| key).collect();
    clean(dir, &Which::Keys(keys)).map_err(|error| error.to_string())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use rustix::fs::{FlockOperation, flock};

    use super::*;

    #[test]
    fn unlocked_builds_are_found_and_removed_and_locked_ones_stay() {
        let guard = tempfile::tempdir().unwrap();
        let cache = Utf8Path::from_path(guard.path()).unwrap();
        std::fs::set_permissions(cache, std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .unwrap();
        let make = |path: &str| fs_err::create_dir_all(cache.join(path)).unwrap();
        make("images/.building-debian-1.abc");
        make("images/.building-debian-2.abc");
        make("programs");
        fs_err::write(cache.join("programs/.new-89ab"), "").unwrap();
        make("layers/.building-0123");
        make("layers/.building-4567");
        let locks = ["images/.lock-debian-2", "layers/4567.lock"].map(|path| {
            let file = File::create(cache.join(path)).unwrap();
            flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
            file
        });
        let names = |found: &[Utf8PathBuf]| {
            let names = found.iter().filter_map(|dir| dir.file_name());
            names.map(str::to_owned).collect::<Vec<_>>()
        };
        let found = find(Some(cache));
        assert_eq!(
            names(&found.images),
            [".new-89ab", ".building-debian-1.abc"]
        );
        assert_eq!(names(&found.layers), [".building-0123"]);
        remove(Some(cache)).unwrap();
        let found = find(Some(cache));
        assert_eq!((found.images.len(), found.layers.len()), (0, 0));
        assert!(cache.join("images/.building-debian-2.abc").is_dir());
        assert!(cache.join("layers/.building-4567").is_dir());
        drop(locks);
    }

    #[test]
    fn where_nothing_is_nothing_is_found_or_made() {
        let guard = tempfile::tempdir().unwrap();
        let cache = Utf8Path::from_path(guard.path()).unwrap().join("none");
        let found = find(Some(&cache));
        assert_eq!((found.images.len(), found.layers.len()), (0, 0));
        remove(Some(&cache)).unwrap();
        assert!(!cache.exists());
    }
}
