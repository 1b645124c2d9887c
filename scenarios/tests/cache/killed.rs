//! `kill -9` at every step.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use libtest_mimic::Completion;

use crate::{
    lab::{DEPLOYED, Lab, THREE_MACHINES},
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

/// Moments of a scenario of three machines at which its lab is killed, unless the variable says how many.
const MOMENTS: u32 = 2;
const MOMENTS_VARIABLE: &str = "SPAWNLAB_KILLED_MOMENTS";

/// Spread from the first clone of a scenario of three machines to the end of the last.
pub(crate) fn in_a_lab(lab: &Lab) -> Completion {
    let moments = std::env::var(MOMENTS_VARIABLE).map_or(MOMENTS, |text| {
        let moments = text.parse().ok().filter(|moments| *moments > 0);
        moments.unwrap_or_else(|| panic!("{MOMENTS_VARIABLE}={text}: not a number from 1 on"))
    });
    let cache = lab.deployed();
    if cache.layers_called("deployed").is_empty() {
        cache.passes(DEPLOYED);
    }
    let folder = lab.folder("tmp");
    let cloning = || {
        let mut run = cache.run(THREE_MACHINES);
        run.env("TMPDIR", &folder);
        let mut running = Running::start(run);
        let reused = |seen: &[String]| was(seen, "reused", "deployed");
        assert!(
            running.until_holds("the layers", reused),
            "{:#?}",
            running.seen
        );
        running
    };
    let whole = cloning();
    let begin = Instant::now();
    whole.passes();
    let took = begin.elapsed();
    for moment in 0..moments {
        let mut running = cloning();
        let until = Instant::now() + took * (2 * moment + 1) / (2 * moments);
        // A run that was quicker than the first one leaves nothing anyway.
        running.until_holds("its moment", |_| Instant::now() >= until);
        running.kill();
        cache.nothing_runs();
    }
    cloning().passes();
    cache.nothing_runs();
    // Each killed run left a folder with its sockets, which the next one has swept.
    let left: Vec<PathBuf> = entries(&folder).iter().flat_map(|it| entries(it)).collect();
    assert!(left.is_empty(), "left behind: {left:#?}");
    Completion::Completed
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let all = std::fs::read_dir(folder).expect("readable");
    all.map(|entry| entry.expect("an entry").path()).collect()
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
