//! Restarts, stops and reboots of a container, and whom they meet inside.

use spawnlab::{prelude::*, scenario::ready::RESTART};

/// A command as a person runs it from the host, and a session that outlives the guest's processes.
const ENTER: &str = "systemd-run --quiet --collect -E PATH /lab/tools/in-guest web 'exec sleep 86397'
    systemd-run --quiet --collect -E PATH nsenter --target $(machinectl show -P Leader web) --mount --uts --ipc --net sleep 86398
    for try in $(seq 100); do pgrep -fx 'sleep 86397' && pgrep -fx 'sleep 86398' && exit 0; sleep 0.1; done; exit 1";

/// However often a container is restarted, with a command and a session of somebody's inside that
/// hold its namespaces open, it comes back with its link and its name
/// (<https://github.com/systemd/systemd/issues/14961>, <https://github.com/NixOS/nixpkgs/issues/499574>).
#[scenario(on = Deployed, limit = 60, per_iteration = 75)]
#[saboteur("link-is-left-behind", fails = "the restart", spares = "networking::lease_comes_from_the_host" =>
    "mkdir -p /run/systemd/system/systemd-nspawn@web.service.d
     printf '[Service]\\nRestart=no\\nExecStopPost=-%s link add ve-web type dummy\\n' $(command -v ip) \
         > /run/systemd/system/systemd-nspawn@web.service.d/zz-sabotage.conf
     systemctl daemon-reload")]
async fn container_comes_back_with_somebody_inside(lab: &Lab) -> Outcome {
    let host = lab.host();
    let web = host.container("web");
    for _ in 0..lab.iterations().get() {
        let before = web.boot_id().await?;
        host.succeed(ENTER).await?;
        let restart = "systemctl restart systemd-nspawn@web.service";
        let restarted = host.execute_within(restart, RESTART).await?;
        expect("the restart").succeeded(restarted)?;
        expect("the boot id").differ(web.boot_id().await?, before)?;
        host.container("web").wait_ready().await?;
    }
    Ok(())
}

/// A container that is stopped shuts down by itself: nobody has to kill it
/// (<https://github.com/NixOS/nixpkgs/issues/144164>).
#[scenario(on = Deployed, limit = 90)]
#[saboteur("host-loses-patience", fails = "how the unit ended", spares = "names::name_is_the_leased_address" =>
    "/lab/tools/in-guest web 'mkdir -p /run/systemd/system/nginx.service.d
         printf \"[Service]\\nTimeoutStopSec=300\\nExecStop=%s 300\\n\" $(command -v sleep) > /run/systemd/system/nginx.service.d/sabotage.conf
         systemctl daemon-reload'",
    drop_in("systemd-nspawn@web.service", "[Service]\nTimeoutStopSec=1"))]
async fn stopped_container_shuts_down_by_itself(lab: &Lab) -> Outcome {
    const UNIT: &str = "systemd-nspawn@web.service";
    let host = lab.host();
    host.execute_within(&format!("systemctl stop {UNIT}"), RESTART)
        .await?;
    let result = host
        .succeed(&format!("systemctl show -P Result {UNIT}"))
        .await?;
    expect("how the unit ended").equal(result.trim(), "success")?;
    let said = format!("journalctl --no-pager -o cat _PID=1 UNIT={UNIT}");
    let said = host.succeed(&said).await?;
    expect("what the service manager says").contains(&said, "Stopped")?;
    expect("what the service manager says").lacks(&said, "SIGKILL")
}

/// A reboot inside the container ends in a running container again, booted anew
/// (<https://github.com/NixOS/nixpkgs/issues/144164>).
#[scenario(on = Deployed, limit = 90)]
#[saboteur("status-of-a-reboot-is-unknown", fails = "the boot after the reboot",
    spares = "names::name_is_the_leased_address" =>
    drop_in("systemd-nspawn@web.service", "[Service]\nRestartForceExitStatus=\nRestart=no"))]
async fn reboot_inside_starts_it_anew(lab: &Lab) -> Outcome {
    let host = lab.host();
    let web = host.container("web");
    let before = web.boot_id().await?;
    // The command may not live to tell how it ended.
    host.execute("systemd-run -M web --quiet -E PATH /bin/sh -c 'systemctl reboot'")
        .await?;
    expect("the boot after the reboot")
        .eventually(
            lab.seconds(30),
            format!("another one than {before}"),
            || async {
                Ok(match web.boot_id().await {
                    Ok(now) if now != before => Seen::Ready(()),
                    Ok(now) => Seen::NotYet(now),
                    // There is no guest in between.
                    Err(Error::Command(error)) => Seen::NotYet(error.stderr),
                    Err(error) => return Err(error),
                })
            },
        )
        .await?;
    host.container("web").wait_ready().await
}
