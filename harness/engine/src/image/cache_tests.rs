use std::{collections::HashMap, os::unix::fs::PermissionsExt as _};

use super::*;
use crate::image::manifest::{MANIFEST_FILE, tests::sample};

fn small() -> Recipe {
    Recipe::parse("small.toml", include_str!("testdata/small.toml"), &|_| {
        Ok(Vec::new())
    })
    .expect("good")
}

/// A cache in a temporary folder.
fn cache() -> (tempfile::TempDir, Cache) {
    let dir = tempfile::tempdir().expect("a folder");
    let root = Utf8PathBuf::try_from(dir.path().join("cache")).expect("UTF-8");
    let cache = Cache::at(root).expect("a cache");
    (dir, cache)
}

/// Puts an image of `small` into `folder`.
fn put(folder: &Utf8Path) {
    std::fs::create_dir_all(folder).expect("made");
    for file in ["vmlinuz", "initrd", "root.raw"] {
        std::fs::write(folder.join(file), "").expect("written");
    }
    std::fs::write(
        folder.join(MANIFEST_FILE),
        serde_json::to_string(&sample()).expect("JSON"),
    )
    .expect("written");
}

#[test]
fn the_variables_are_asked_in_their_order() {
    let location = |variables: &[(&str, &str)]| {
        let map: HashMap<_, _> = variables.iter().copied().collect();
        locate(|name| map.get(name).map(|value| (*value).to_owned())).map(Utf8PathBuf::into_string)
    };
    let (home, xdg, own) = (
        ("HOME", "/home/lab"),
        ("XDG_CACHE_HOME", "/var/c"),
        ("SPAWNLAB_CACHE", "/big"),
    );
    assert_eq!(location(&[home, xdg, own]).expect("a place"), "/big");
    assert_eq!(location(&[home, xdg]).expect("a place"), "/var/c/spawnlab");
    assert_eq!(
        location(&[home]).expect("a place"),
        "/home/lab/.cache/spawnlab"
    );
    assert!(matches!(location(&[]), Err(ImageError::NoCacheFolder)));
    let relative = location(&[home, ("SPAWNLAB_CACHE", "big")]).expect_err("refused, not ignored");
    insta::assert_snapshot!(relative, @"no folder for images: set SPAWNLAB_CACHE (or HOME) to an absolute path");
}

#[test]
fn a_new_cache_is_for_the_caller_only() {
    let (_dir, cache) = cache();
    let mode = |path: &Utf8Path| {
        std::fs::metadata(path)
            .expect("it exists")
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!((mode(cache.root()), mode(&cache.images)), (0o700, 0o700));
}

#[test]
fn a_cache_that_others_can_write_is_refused() {
    insta::assert_snapshot!(
        check_owner(Utf8Path::new("/big"), 1001, 0o700, 0).expect_err("refused"),
        @"the cache folder /big belongs to user 1001, not to user 0 who runs this: set SPAWNLAB_CACHE to a folder of your own"
    );
    insta::assert_snapshot!(
        check_owner(Utf8Path::new("/big"), 0, 0o775, 0).expect_err("refused"),
        @"the cache folder /big can be written by others (mode 775): `chmod go-w /big`"
    );
    assert!(check_owner(Utf8Path::new("/big"), 0, 0o755, 0).is_ok());
}

#[test]
fn half_a_build_is_never_taken() {
    let (_dir, cache) = cache();
    let recipe = small();
    put(&cache
        .images
        .join(format!(".building-{}.x1/out", recipe.folder())));
    assert!(cache.find(&recipe).expect("no error").is_none());
    put(&cache.images.join(recipe.folder()));
    assert!(cache.find(&recipe).expect("no error").is_some());
}

#[test]
fn a_damaged_image_is_reported() {
    let (_dir, cache) = cache();
    let recipe = small();
    let folder = cache.images.join(recipe.folder());
    put(&folder);
    std::fs::remove_file(folder.join("initrd")).expect("removed");
    assert!(matches!(
        cache.find(&recipe),
        Err(ImageError::MissingPart { part: "initrd", .. })
    ));
}

#[test]
fn leftovers_are_removed_unless_their_build_is_alive() {
    let (_dir, cache) = cache();
    let names = [
        ".building-small-1.aa",
        ".building-small-2.bb",
        ".building-small-3.old",
        "small-4",
    ];
    for name in names {
        put(&cache.images.join(name));
    }
    let _alive = ImageLock::attempt(&cache.lock_path("small-2"))
        .expect("no error")
        .expect("free");
    // The caller holds the lock of the image that it is about to build.
    let _own = ImageLock::attempt(&cache.lock_path("small-1"))
        .expect("no error")
        .expect("free");
    let cleaned = std::sync::Mutex::new(Vec::new());
    cache
        .sweep("small-1", &|event| {
            cleaned
                .lock()
                .expect("no panic")
                .push(event.to_string().replace(cache.images.as_str(), ""))
        })
        .expect("swept");
    let left: Vec<_> = names
        .into_iter()
        .filter(|name| cache.images.join(name).exists())
        .collect();
    assert_eq!(left, [".building-small-2.bb", "small-4"]);
    assert_eq!(cleaned.into_inner().expect("no panic").len(), 2);
}

#[test]
fn a_rebuilt_image_takes_the_place_of_the_old_one() {
    let (_dir, cache) = cache();
    let target = cache.images.join("small-1");
    put(&target);
    std::fs::write(target.join("old"), "").expect("written");
    let finished = cache.images.join(".building-small-1.aa/out");
    put(&finished);
    put_in_place(&cache.images, &finished, &target).expect("in place");
    assert!(target.join(MANIFEST_FILE).exists() && !target.join("old").exists());
    assert!(!cache.images.join(".building-small-1.old").exists());
}

#[test]
fn the_scratch_folder_of_a_dead_build_goes_too() {
    let (dir, cache) = cache();
    let scratch = Utf8PathBuf::try_from(dir.path().join("spawnlab-build-aa")).expect("UTF-8");
    let foreign = Utf8PathBuf::try_from(dir.path().join("precious")).expect("UTF-8");
    for (name, target) in [
        (".building-small-1.aa", &scratch),
        (".building-small-1.bb", &foreign),
    ] {
        std::fs::create_dir_all(target).expect("made");
        std::fs::create_dir_all(cache.images.join(name)).expect("made");
        std::os::unix::fs::symlink(target, cache.images.join(name).join("scratch")).expect("made");
    }
    cache.sweep("small-1", &|_| {}).expect("swept");
    assert!(!scratch.exists());
    assert!(
        foreign.exists(),
        "only a folder with a build's name is removed"
    );
}
