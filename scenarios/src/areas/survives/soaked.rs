//! Cells of the grid that only soak runs have: the tool is killed or interrupted, or its host changes under it.

use spawnlab::prelude::*;

use super::{held::is_held, whole::FAILING_UNIT};

/// A deploy whose tool is killed or interrupted, or what receives its copy is, or under which garbage is collected, the disk is
/// full or the clock is set back, leaves the old generation or the new one, whole, and nothing else; the next deploy needs no cleaning up: {case}.
#[scenario(on = Deployed, area = "survives", limit = 180, soak, needs = [RestoresAfterFailure], cases(
    killed_at_connect, killed_at_build, killed_at_activate, killed_at_switch,
    interrupted_at_evaluate, interrupted_at_connect, interrupted_at_copy, interrupted_at_profile, interrupted_at_switch,
    interrupted_at_check, collection_at_copy, collection_at_activate, collection_at_switch, collection_at_check,
    disk_full_at_evaluate, disk_full_at_connect, disk_full_at_copy, disk_full_at_profile, disk_full_at_activate,
    disk_full_at_switch, disk_full_at_check,
    clock_set_back_at_evaluate, clock_set_back_at_connect, clock_set_back_at_copy, clock_set_back_at_build,
    clock_set_back_at_profile, clock_set_back_at_activate, clock_set_back_at_switch, daemon_killed_at_copy))]
#[saboteur("unit-fails", fails = "the host's state",
    spares = "names::name_is_the_leased_address" => script(FAILING_UNIT))]
async fn leaves_old_or_new(lab: &Lab, cell: &str) -> Outcome {
    is_held(lab, cell).await
}
