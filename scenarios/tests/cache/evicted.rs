//! `kill -9` in the middle of a removal.

use libtest_mimic::Completion;

use crate::{
    lab::{HOST, Lab},
    running::{Running, was},
};

/// So many files take longer to remove than it takes to see that the removal has begun.
const FILES: usize = 40_000;

pub(crate) fn killed(lab: &Lab) -> Completion {
    let cache = lab.host();
    cache.passes(HOST);
    let layer = cache.layer("host");
    let much = layer.join("much");
    std::fs::create_dir(&much).expect("a folder");
    for number in 0..FILES {
        std::fs::File::create(much.join(number.to_string())).expect("a file");
    }
    let mut removal = Running::start(cache.spawnlab(&["layers", "clean", "host"]));
    let record = layer.join("layer.json");
    removal.until_holds("the removal", |_| !record.exists());
    removal.kill();
    assert!(!record.exists());
    assert!(layer.exists(), "the removal was over before it was killed");
    let seen = cache.passes(HOST);
    assert!(was(&seen, "reused", "booted"), "{seen:#?}");
    assert!(was(&seen, "built", "host"), "{seen:#?}");
    assert!(!much.exists());
    Completion::Completed
}
