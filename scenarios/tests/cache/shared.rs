//! The whole cache is removed while one run builds in it and another one waits for that.

use libtest_mimic::Completion;

use crate::{
    lab::{HOST, Lab},
    running::{waits, was},
};

pub(crate) fn removed_while_built(lab: &Lab) -> Completion {
    let cache = lab.host();
    let mut one = cache.start(HOST);
    let building = one.until_holds("the boot", |_| cache.being_built("ram"));
    assert!(building, "{:#?}", one.seen);
    let mut other = cache.start(HOST);
    let waiting = other.until_holds("the wait", |seen| waits(seen, "booted"));
    assert!(waiting, "{:#?}", other.seen);
    std::fs::remove_dir_all(cache.layers()).expect("removed");
    let seen = [one.passes(), other.passes()].concat();
    assert!(was(&seen, "built", "booted"), "{seen:#?}");
    // One of each is left, whoever built it.
    for layer in ["booted", "host"] {
        cache.layer(layer);
    }
    assert!(cache.half_built().is_empty());
    cache.nothing_runs();
    Completion::Completed
}
