//! Cells of the grid that only soak runs have: the tool is killed or interrupted, or its host changes under it.

use spawnlab::prelude::*;

use super::{held::is_held, whole::FAILING_UNIT};

/// A deploy whose tool is killed or interrupted, or under which garbage is collected, the disk is full or the clock is set back,
/// leaves the old generation or the new one, whole, and nothing else; the next deploy needs no cleaning up: {case}.
#[scenario(on = Deployed, area = "survives", limit = 180, soak, needs = [RestoresAfterFailure], cases(
    killed_at_connect, killed_at_build, killed_at_activate,
    interrupted_at_evaluate, interrupted_at_connect, interrupted_at_copy, interrupted_at_profile, interrupted_at_check,
    collection_at_copy, collection_at_activate, collection_at_check,
    disk_full_at_evaluate, disk_full_at_connect, disk_full_at_copy, disk_full_at_profile, disk_full_at_check,
    clock_set_back_at_evaluate, clock_set_back_at_connect, clock_set_back_at_copy, clock_set_back_at_build,
    clock_set_back_at_profile, clock_set_back_at_activate))]
#[saboteur("unit-fails", fails = "the host's state",
    spares = "names::name_is_the_leased_address" => script(FAILING_UNIT))]
async fn leaves_old_or_new(lab: &Lab, cell: &str) -> Outcome {
    is_held(lab, cell).await
}

/// A deploy whose copy is received by a process on the host that is killed leaves the old generation or the new one, whole, and
/// nothing else.
#[scenario(on = Deployed, area = "survives", limit = 180, soak, needs = [RestoresAfterFailure])]
#[saboteur("unit-fails", fails = "the host's state",
    spares = "names::name_is_the_leased_address" => script(FAILING_UNIT))]
async fn daemon_killed_at_copy_leaves_old_or_new(lab: &Lab) -> Outcome {
    is_held(lab, "daemon_killed_at_copy").await
}

/// A deploy whose copy gets no more memory on the host leaves the old generation or the new one, whole, and nothing else.
#[scenario(on = Deployed, area = "survives", limit = 180, soak, needs = [RestoresAfterFailure])]
#[expects(OomKill("nix*"), because = "it gets no more memory")]
#[expects(
    OomKill("ssh*"),
    because = "it is the unit of what gets no more memory"
)]
#[saboteur("unit-fails", fails = "the host's state",
    spares = "names::name_is_the_leased_address" => script(FAILING_UNIT))]
async fn memory_exhausted_at_copy_leaves_old_or_new(lab: &Lab) -> Outcome {
    is_held(lab, "memory_exhausted_at_copy").await
}

/// A deploy whose build gets no more memory on the host leaves the old generation or the new one, whole, and nothing else.
#[scenario(on = Deployed, area = "survives", limit = 180, soak, needs = [RestoresAfterFailure])]
#[expects(OomKill("nix*"), because = "it gets no more memory")]
#[expects(
    OomKill("ssh*"),
    because = "it is the unit of what gets no more memory"
)]
#[saboteur("unit-fails", fails = "the host's state",
    spares = "names::name_is_the_leased_address" => script(FAILING_UNIT))]
async fn memory_exhausted_at_build_leaves_old_or_new(lab: &Lab) -> Outcome {
    is_held(lab, "memory_exhausted_at_build").await
}
