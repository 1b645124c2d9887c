//! Layers that were changed behind the lab's back.

use std::fs::File;

use libtest_mimic::Completion;
use rustix::fs::{FlockOperation, flock};

use crate::{
    lab::{DEPLOYED, HOST, Lab, flip_a_byte},
    running::{rebuilt, was},
};

pub(crate) fn flipped_byte(lab: &Lab) -> Completion {
    let cache = lab.deployed();
    cache.passes(DEPLOYED);
    flip_a_byte(&cache.layer("deployed").join("ram"));
    rebuilt(
        &cache.passes(DEPLOYED),
        "deployed",
        "ram is not what was saved",
    );
    Completion::Completed
}

pub(crate) fn truncated_and_removed(lab: &Lab) -> Completion {
    let cache = lab.deployed();
    cache.passes(DEPLOYED);
    let state = cache.layer("host").join("state");
    let half = std::fs::metadata(&state).expect("it is there").len() / 2;
    File::options()
        .write(true)
        .open(&state)
        .expect("writable")
        .set_len(half)
        .expect("truncated");
    std::fs::remove_file(cache.layer("deployed").join("disk.qcow2")).expect("removed");
    rebuilt(&cache.passes(DEPLOYED), "host", "state has");
    Completion::Completed
}

pub(crate) fn removed_parent(lab: &Lab) -> Completion {
    let cache = lab.deployed();
    cache.passes(DEPLOYED);
    std::fs::remove_dir_all(cache.layer("booted")).expect("removed");
    let seen = cache.passes(DEPLOYED);
    // What stood on it is of no use, and gone before anybody asks for it.
    for layer in ["booted", "host", "deployed"] {
        assert!(was(&seen, "built", layer), "{seen:#?}");
        cache.layer(layer);
    }
    Completion::Completed
}

/// Between the check of a layer and the start of a clone, which waits for its slot until then.
pub(crate) fn removed_before_the_clone(lab: &Lab) -> Completion {
    let cache = lab.host();
    cache.passes(HOST);
    // Nobody gets a slot as long as somebody else looks for one.
    let queue = File::create(cache.dir().join("slots/turn")).expect("writable");
    flock(&queue, FlockOperation::LockExclusive).expect("locked");
    let mut running = cache.start(HOST);
    let came = running.until_holds("the layers", |seen| was(seen, "reused", "host"));
    assert!(came, "{:#?}", running.seen);
    std::fs::remove_file(cache.layer("host").join("ram")).expect("removed");
    drop(queue);
    let seen = running.passes();
    rebuilt(&seen, "host", "No such file");
    cache.nothing_runs();
    Completion::Completed
}
