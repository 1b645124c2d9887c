//! Removing layers because somebody asks for it; none that is in use.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use camino::Utf8Path;

use super::{
    evict::{self, Bounds},
    list::{Listed, list},
};
use crate::util::error::Result;

/// Which layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// Every one.
    All,
    /// Those that no run started from for so long.
    Unused(Duration),
    /// Those with these keys.
    Keys(Vec<String>),
    /// What a run would remove by itself: what is beyond the bounds or was left unfinished.
    BeyondBounds,
}

/// What became of the layers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Those that are gone.
    pub removed: Vec<Listed>,
    /// Those that are still there, each with the reason.
    pub left: Vec<(Listed, String)>,
}

/// Removes the layers below `cache` that `which` means. What stands on a removed layer goes, too: its
/// disk is an overlay over the other's, so that it is worth nothing alone.
///
/// # Errors
/// When the folder can't be read.
pub fn clean(cache: &Utf8Path, which: &Which) -> Result<Cleaned> {
    let layers = list(cache)?;
    let wanted = wanted(&layers, which, SystemTime::now(), Bounds::default());
    let mut cleaned = Cleaned::default();
    for layer in layers {
        if !wanted.contains(&layer.key) {
            let built = layer.in_use && layer.record.is_none();
            let why = if built { "in use" } else { why_spared(which) };
            cleaned.left.push((layer, why.into()));
        } else if layer.in_use {
            cleaned.left.push((layer, "in use".into()));
        } else if evict::remove(&layer.dir, &layer.lock) {
            cleaned.removed.push(layer);
        } else {
            // Somebody took its lock a moment ago, or the folder can't be written to.
            let why = if super::list::held(&layer.lock) {
                "in use".to_owned()
            } else {
                format!("{} can't be removed; look at its permissions", layer.dir)
            };
            cleaned.left.push((layer, why));
        }
    }
    Ok(cleaned)
}

fn why_spared(which: &Which) -> &'static str {
    match which {
        Which::All => "new",
        Which::Unused(_) => "used since",
        Which::Keys(_) => "not asked for",
        Which::BeyondBounds => "within the bounds",
    }
}

/// The keys of those of `layers` (the least recently used first) that `which` means.
fn wanted(layers: &[Listed], which: &Which, now: SystemTime, bounds: Bounds) -> BTreeSet<String> {
    if *which == Which::BeyondBounds {
        let beyond = evict::beyond(layers, bounds, now);
        return beyond.iter().map(|at| layers[*at].key.clone()).collect();
    }
    let unused = |layer: &Listed| now.duration_since(layer.used).unwrap_or_default();
    let mut wanted: BTreeSet<String> = layers
        .iter()
        .filter(|layer| match which {
            Which::All => true,
            Which::Unused(age) => unused(layer) >= *age,
            Which::Keys(keys) => keys.contains(&layer.key),
            Which::BeyondBounds => false,
        })
        .map(|layer| layer.key.clone())
        .collect();
    // A tree as deep as it is: one floor more each time.
    loop {
        let before = wanted.len();
        let above = layers
            .iter()
            .filter(|layer| layer.parent().is_some_and(|parent| wanted.contains(parent)))
            .map(|layer| layer.key.clone())
            .collect::<Vec<_>>();
        wanted.extend(above);
        if wanted.len() == before {
            return wanted;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use rustix::fs::{FlockOperation, flock};

    use super::*;
    use crate::layer::list::tests::{cache, layer, layer_on};

    fn names(layers: &[Listed]) -> Vec<&str> {
        layers.iter().map(Listed::name).collect()
    }

    #[test]
    fn all_goes_but_what_is_in_use() {
        let (_guard, cache) = cache();
        let booted = layer(&cache, "booted", None, 1);
        layer(&cache, "host", None, 2);
        let lock = File::open(cache.join(format!("layers/{booted}.lock"))).unwrap();
        flock(&lock, FlockOperation::LockShared).unwrap();
        let cleaned = clean(&cache, &Which::All).unwrap();
        assert_eq!(names(&cleaned.removed), ["host"]);
        assert_eq!(cleaned.left.len(), 1);
        assert_eq!(cleaned.left[0].1, "in use");
        assert!(cleaned.left[0].0.dir.exists());
        drop(lock);
        let cleaned = clean(&cache, &Which::All).unwrap();
        assert_eq!(names(&cleaned.removed), ["booted"]);
        assert!(!cleaned.removed[0].dir.exists());
    }

    #[test]
    fn only_what_was_unused_for_long_goes() {
        let (_guard, cache) = cache();
        layer(&cache, "new", None, 1);
        layer(&cache, "old", None, 30);
        let day = Duration::from_secs(86_400);
        let cleaned = clean(&cache, &Which::Unused(day)).unwrap();
        assert_eq!(names(&cleaned.removed), ["old"]);
        assert_eq!(cleaned.left[0].1, "used since");
    }

    #[test]
    fn what_stands_on_a_removed_layer_goes_with_it() {
        let (_guard, cache) = cache();
        let booted = layer(&cache, "booted", None, 1);
        let host = layer_on(&cache, "host", &booted, 1);
        layer_on(&cache, "deployed", &host, 1);
        layer(&cache, "other", None, 1);
        let which = Which::Keys(vec![booted.as_str().to_owned()]);
        let cleaned = clean(&cache, &which).unwrap();
        assert_eq!(cleaned.removed.len(), 3);
        assert_eq!(cleaned.left[0].0.name(), "other");
    }

    #[test]
    fn the_bounds_take_what_is_too_much_too_old_or_unfinished() {
        let (_guard, cache) = cache();
        layer(&cache, "new", None, 1);
        layer(&cache, "old", None, 400);
        fs_err::create_dir(cache.join("layers/.building-abc")).unwrap();
        let cleaned = clean(&cache, &Which::BeyondBounds).unwrap();
        assert_eq!(names(&cleaned.removed), ["unfinished", "old"]);
        let none = Bounds {
            bytes: 0,
            ..Bounds::default()
        };
        let layers = list(&cache).unwrap();
        let over = wanted(&layers, &Which::BeyondBounds, SystemTime::now(), none);
        assert_eq!(over.len(), 1);
    }
}
