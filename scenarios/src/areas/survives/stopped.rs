//! Cells of the grid that an ordinary run has: a deploy is held at one of its steps, and something happens to it.

use spawnlab::prelude::*;

use super::{
    held::is_held,
    whole::{DAMAGE, FAILING_UNIT, SERVER_STOPS, SOMETHING_IS_LEFT},
};
use crate::areas::deploy::{REFUSE_COPIES, RUN_A_COPY};

/// A deploy at one of whose steps the tool is killed or interrupted, garbage is collected, the disk is full or the clock is set
/// back, leaves the old generation or the new one, whole, and nothing else; the next deploy needs no cleaning up: {case}.
#[scenario(on = Deployed, area = "survives", limit = 180, needs = [RestoresAfterFailure], cases(
    killed_at_evaluate, killed_at_copy, interrupted_at_build, killed_at_profile, interrupted_at_activate,
    killed_at_check, collection_at_build, collection_at_profile, disk_full_at_build, clock_set_back_at_check))]
#[saboteur("guest-runs-something-else", fails = "the running closure", case = killed_at_evaluate,
    spares = "names::name_is_the_leased_address" => RUN_A_COPY)]
#[saboteur("copy-refused", fails = "the next deploy", case = killed_at_copy,
    spares = "deploy::undeclared_container_is_refused_before_copying" => REFUSE_COPIES)]
#[saboteur("something-is-left", fails = "what is left", case = interrupted_at_activate,
    spares = "names::name_is_the_leased_address" => script(SOMETHING_IS_LEFT))]
#[saboteur("unit-fails", fails = "the host's state", case = killed_at_profile,
    spares = "names::name_is_the_leased_address" => script(FAILING_UNIT))]
#[saboteur("server-stopped", fails = "the page", case = interrupted_at_build,
    spares = "names::name_is_the_leased_address" => script(SERVER_STOPS))]
#[saboteur("store-is-damaged", fails = "what Nix finds", case = collection_at_build,
    spares = "names::name_is_the_leased_address" => script(DAMAGE))]
#[saboteur("unit-fails", fails = "the host's state", case = killed_at_check,
    spares = "names::name_is_the_leased_address" => script(FAILING_UNIT))]
#[saboteur("store-is-damaged", fails = "what Nix finds", case = collection_at_profile,
    spares = "names::name_is_the_leased_address" => script(DAMAGE))]
#[saboteur("unit-fails", fails = "the host's state", case = disk_full_at_build,
    spares = "names::name_is_the_leased_address" => script(FAILING_UNIT))]
#[saboteur("unit-fails", fails = "the host's state", case = clock_set_back_at_check,
    spares = "names::name_is_the_leased_address" => script(FAILING_UNIT))]
async fn leaves_old_or_new(lab: &Lab, cell: &str) -> Outcome {
    is_held(lab, cell).await
}

/// The same where Nix' daemon is killed while it builds for the deploy.
#[scenario(on = Deployed, area = "survives", limit = 180, needs = [RestoresAfterFailure])]
#[expects(FailedUnit("nix-daemon.service"), because = "it is killed")]
#[saboteur("unit-fails", fails = "the host's state",
    spares = "names::name_is_the_leased_address" => script(FAILING_UNIT))]
async fn daemon_killed_at_build_leaves_old_or_new(lab: &Lab) -> Outcome {
    is_held(lab, "daemon_killed_at_build").await
}
