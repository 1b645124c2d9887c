//! The cache under attack, with real VMs: `spawnlab` is killed with SIGKILL in the middle of everything
//! it does, its layers are damaged and removed behind its back, its disk is full, its QEMU is another one.
//! Each time no QEMU may be left, and the next run has to come to the right verdict.
//!
//! The tests run one after the other, and each begins with what the one before it has left behind:
//! that saves most of the boots, and it is how a cache lives.

#[path = "../common/mod.rs"]
mod common;
mod damaged;
mod evicted;
mod full;
mod kept;
mod killed;
mod lab;
mod running;
mod shared;
mod soak;
mod upgraded;

use std::{
    process::ExitCode,
    sync::{Arc, OnceLock},
};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use lab::Lab;

type Test = fn(&Lab) -> Completion;

const TESTS: [(&str, Test); 14] = [
    // In a cache where the containers are deployed.
    ("killed_at_every_step", killed::at_every_step),
    ("killed_in_a_clone", killed::in_a_clone),
    ("killed_in_a_lab", killed::in_a_lab),
    ("soak", soak::nothing_is_left),
    ("flipped_byte", damaged::flipped_byte),
    (
        "truncated_and_removed_files",
        damaged::truncated_and_removed,
    ),
    ("removed_parent", damaged::removed_parent),
    // In a second one, with nothing but a host.
    (
        "removed_while_built_and_waited_for",
        shared::removed_while_built,
    ),
    (
        "removed_before_the_clone",
        damaged::removed_before_the_clone,
    ),
    ("killed_while_evicting", evicted::killed),
    ("full_disk", full::disk),
    ("upgraded_qemu", upgraded::qemu),
    ("kept_host", kept::resumed),
    ("kept_host_without_its_layer", kept::without_layer),
];

fn main() -> ExitCode {
    let mut args = Arguments::from_args();
    args.test_threads = Some(1);
    let lab = Arc::new(OnceLock::new());
    let trials = TESTS.map(|(name, test)| {
        let lab = Arc::clone(&lab);
        Trial::ignorable_test(name, move || {
            Ok::<_, Failed>(test(lab.get_or_init(Lab::new)))
        })
    });
    let conclusion = libtest_mimic::run(&args, trials.into());
    // Its folder goes with it.
    drop(lab);
    conclusion.exit_code()
}
