//! `kill -9` at every step.

use std::time::{Duration, Instant};

use libtest_mimic::Completion;

use crate::{
    lab::{DEPLOYED, Lab},
    running::{Running, begun, waits, was},
};

pub(crate) fn at_every_step(lab: &Lab) -> Completion {
    let cache = lab.deployed();
    cache.killed(DEPLOYED, "the boot", |_| cache.being_built("ram"));
    cache.killed(DEPLOYED, "the saving of a state", |_| {
        cache.being_built("state")
    });
    cache.killed(DEPLOYED, "provisioning", |seen| begun(seen, "layer host"));
    cache.killed(DEPLOYED, "the saving of a child", |seen| {
        begun(seen, "layer host") && cache.being_built("state")
    });
    let seen = taken_over(cache.start(DEPLOYED), cache.start(DEPLOYED));
    assert!(was(&seen, "built", "deployed"), "{seen:#?}");
    cache.nothing_runs();
    Completion::Completed
}

/// Two runs at the same moment: one builds, the other one waits and says so. The builder is killed, and
/// the other takes its lock over and comes to a pass. Returns what that one printed.
fn taken_over(mut one: Running, mut other: Running) -> Vec<String> {
    let begin = Instant::now();
    loop {
        assert!(begin.elapsed() < Duration::from_secs(900), "nobody waits");
        for run in [&mut one, &mut other] {
            let until = Instant::now() + Duration::from_millis(20);
            let ended = !run.until_holds("the other", |_| Instant::now() > until);
            assert!(!ended, "it ended: {:#?}", run.seen);
        }
        if waits(&other.seen, "deployed") && begun(&one.seen, "layer deployed") {
            one.kill();
            return other.passes();
        }
        if waits(&one.seen, "deployed") && begun(&other.seen, "layer deployed") {
            other.kill();
            return one.passes();
        }
    }
}

pub(crate) fn in_a_clone(lab: &Lab) -> Completion {
    let cache = lab.deployed();
    // All layers are there: what comes is a clone and its scenario.
    cache.passes(DEPLOYED);
    for delay in [0, 40, 150, 600] {
        let mut ready = None::<Instant>;
        // Where a machine is so quick that the run is over by then, the shorter delays have to do.
        cache.killed_or_ended(DEPLOYED, "a clone", |seen| {
            if was(seen, "reused", "deployed") {
                ready.get_or_insert_with(Instant::now);
            }
            ready.is_some_and(|at| at.elapsed() >= Duration::from_millis(delay))
        });
    }
    let seen = cache.passes(DEPLOYED);
    assert!(
        !seen.iter().any(|line| line.starts_with("built")),
        "{seen:#?}"
    );
    Completion::Completed
}
