//! What systemd on the host says of its own units and of a guest's.

use spawnlab::prelude::*;

/// No unit of the host has failed.
#[scenario(on = Deployed)]
#[saboteur("a-unit-fails", fails = "the failed units", spares = "names::name_is_the_leased_address" =>
    "systemd-run --quiet --unit=sabotage --wait false || systemctl is-failed --quiet sabotage")]
async fn host_has_no_failed_units(lab: &Lab) -> Outcome {
    let failed = lab
        .host()
        .succeed("systemctl --failed --plain --no-legend --no-pager")
        .await?;
    expect("the failed units").equal(failed.trim(), "")
}

/// No unit of a guest has failed.
#[scenario(on = Deployed)]
#[saboteur("a-unit-of-the-guest-fails", fails = "the guests' failed units",
    spares = "status::host_has_no_failed_units" =>
    "systemd-run -M a-container-with-a-long-name --quiet --unit=sabotage --wait /bin/sh -c 'exit 1' || true")]
async fn guests_have_no_failed_units(lab: &Lab) -> Outcome {
    let script = "set -e
        for name in web a-container-with-a-long-name; do
            systemctl -M $name --failed --plain --no-legend --no-pager
        done";
    let failed = lab.host().succeed(script).await?;
    expect("the guests' failed units").equal(failed.trim(), "")
}

/// `systemctl --recursive status` on the host shows the guest's units below the container's.
#[scenario(on = Deployed)]
#[saboteur("stopped-in-one-guest", fails = "the guest's units in the tree", spares = "names::http_by_name" =>
    in_guest("web", stop_unit("steady.service")))]
async fn recursive_status_shows_the_guests_units(lab: &Lab) -> Outcome {
    let status = lab
        .host()
        .succeed("systemctl --recursive status --no-pager --full")
        .await?;
    let below = below(&status, "systemd-nspawn@web.service");
    let units = ["nginx.service", "steady.service"];
    expect("the guest's units in the tree").that(
        units.iter().all(|unit| below.contains(unit)),
        units.join(" and "),
        below,
    )
}

/// `systemctl -M` answers for the guest's units, and for no unit of the host.
#[scenario(on = Deployed)]
#[saboteur("stopped-in-the-guest", fails = "the guest's service", spares = "names::http_by_name" =>
    in_guest("web", stop_unit("steady.service")))]
async fn machine_option_shows_the_guests_units(lab: &Lab) -> Outcome {
    let script = "systemctl -M web show -p ActiveState --value steady.service lab-proxy.service";
    let states = lab.host().succeed(script).await?;
    let mut states = states.split_whitespace();
    expect("the guest's service").equal(states.next(), Some("active"))?;
    expect("the host's service").equal(states.next(), Some("inactive"))
}

/// What systemd's template gives every container's unit is what the declared container's has
/// (<https://github.com/NixOS/nixpkgs/issues/144164>).
#[scenario(on = Deployed)]
#[saboteur("guest-is-killed-at-once", fails = "the unit's settings", spares = "names::name_is_the_leased_address" =>
    drop_in("systemd-nspawn@web.service", "[Service]\nKillMode=control-group"))]
async fn declared_unit_keeps_what_the_template_says(lab: &Lab) -> Outcome {
    let show = |unit: &str| {
        format!(
            "systemctl show -p Slice -p KillMode -p DevicePolicy -p Delegate -p RestartForceExitStatus {unit}"
        )
    };
    let host = lab.host();
    let declared = host.succeed(&show("systemd-nspawn@web.service")).await?;
    // An instance that nobody has declared is the template as it is.
    let template = host.succeed(&show("systemd-nspawn@nobody.service")).await?;
    expect("the unit's settings").equal(&declared, &template)?;
    expect("its slice").contains(&declared, "Slice=machine.slice")?;
    expect("its policy for devices").contains(&declared, "DevicePolicy=closed")
}

/// The lines of the tree that `systemctl status` draws which are deeper than that of `unit`.
fn below(status: &str, unit: &str) -> String {
    // Drawn lines are of one width per level, in characters.
    let depth = |line: &str| line.chars().take_while(|c| !c.is_alphanumeric()).count();
    let mut lines = status.lines().skip_while(|line| !line.ends_with(unit));
    let Some(first) = lines.next() else {
        return String::new();
    };
    lines
        .take_while(|line| depth(line) > depth(first))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::below;

    #[test]
    fn a_unit_of_the_tree_ends_where_its_sibling_begins() {
        let status = "\
   CGroup: /
           ├─machine.slice
           │ ├─one.service
           │ │ ├─payload
           │ │ │ └─a.service
           │ │ │   └─719 \"nginx: master process\"
           │ │ └─supervisor
           │ └─two.service
           │   └─payload
           └─system.slice
             └─b.service";
        let one = below(status, "─one.service");
        assert!(
            one.contains("a.service") && one.ends_with("supervisor"),
            "{one}"
        );
        assert!(below(status, "two.service").ends_with("payload"));
        assert_eq!(below(status, "three.service"), "");
    }
}
