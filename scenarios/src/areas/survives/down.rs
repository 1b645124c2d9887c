//! The host goes down while a deploy is held at one of its steps, and comes up again: by a reboot, or because its power was cut.

use spawnlab::prelude::*;

use super::{held::is_held_when_the_host_goes_down, whole::SOMETHING_IS_LEFT};

/// A host that is rebooted in the middle of a deploy, or whose power is cut, comes up and serves the old generation or the new
/// one, whole; the next deploy needs no cleaning up, and leaves nothing of the one before. Of what was not flushed before the power cut all is lost, or
/// nothing, or a part: {case}.
#[scenario(on = Deployed, area = "survives", limit = 300, disk = Logged, soak, needs = [SurvivesPowerCuts], cases(
    rebooted_at_evaluate, rebooted_at_connect, rebooted_at_copy, rebooted_at_build, rebooted_at_profile, rebooted_at_activate,
    rebooted_at_check,
    power_cut_at_evaluate, power_cut_at_connect, power_cut_at_copy, power_cut_at_build, power_cut_at_profile, power_cut_at_activate,
    power_cut_at_switch, power_cut_at_check,
    power_cut_that_loses_nothing_at_evaluate, power_cut_that_loses_nothing_at_connect, power_cut_that_loses_nothing_at_copy,
    power_cut_that_loses_nothing_at_build, power_cut_that_loses_nothing_at_profile, power_cut_that_loses_nothing_at_activate,
    power_cut_that_loses_nothing_at_switch, power_cut_that_loses_nothing_at_check,
    power_cut_that_loses_some_at_evaluate, power_cut_that_loses_some_at_connect, power_cut_that_loses_some_at_copy,
    power_cut_that_loses_some_at_build, power_cut_that_loses_some_at_profile, power_cut_that_loses_some_at_activate,
    power_cut_that_loses_some_at_switch, power_cut_that_loses_some_at_check))]
#[saboteur("something-is-left", fails = "what is left",
    spares = "names::name_is_the_leased_address" => script(SOMETHING_IS_LEFT))]
async fn leaves_old_or_new(lab: &Lab, cell: &str) -> Outcome {
    is_held_when_the_host_goes_down(lab, cell).await
}

/// The same where the host is rebooted while the guest is being switched.
#[scenario(on = Deployed, area = "survives", limit = 300, disk = Logged, soak, needs = [SurvivesPowerCuts])]
#[expects(
    FailedUnit("systemd-nspawn@web.service"),
    because = "the reboot ends its reload"
)]
#[saboteur("something-is-left", fails = "what is left",
    spares = "names::name_is_the_leased_address" => script(SOMETHING_IS_LEFT))]
async fn rebooted_at_switch_leaves_old_or_new(lab: &Lab) -> Outcome {
    is_held_when_the_host_goes_down(lab, "rebooted_at_switch").await
}
