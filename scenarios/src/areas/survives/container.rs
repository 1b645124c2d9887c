//! The container, or its service manager, is killed while a deploy of it is held at one of its steps. The container is down
//! then, and the deploy has to start it.

use spawnlab::prelude::*;

use super::{held::is_held, whole::FAILING_UNIT};

/// A container that is killed in the middle of a deploy, or whose service manager is, serves the old generation or the new one,
/// whole, once the deploy is over; the next deploy needs no cleaning up: {case}.
#[scenario(on = Deployed, area = "survives", limit = 180, needs = [RestoresAfterFailure], cases(
    container_killed_at_activate, soak(
        container_killed_at_evaluate, container_killed_at_connect, container_killed_at_copy, container_killed_at_build,
        container_killed_at_profile, container_killed_at_switch, container_killed_at_check,
        manager_killed_at_evaluate, manager_killed_at_connect, manager_killed_at_copy, manager_killed_at_build,
        manager_killed_at_profile, manager_killed_at_activate, manager_killed_at_switch,
        manager_killed_at_check)))]
#[expects(
    FailedUnit("systemd-nspawn@web.service"),
    because = "its container is killed"
)]
#[saboteur("unit-fails", fails = "the host's state",
    spares = "names::name_is_the_leased_address" => script(FAILING_UNIT))]
async fn leaves_old_or_new(lab: &Lab, cell: &str) -> Outcome {
    is_held(lab, cell).await
}
