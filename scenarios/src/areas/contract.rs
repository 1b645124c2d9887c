//! The corners of a deploy: before the first one, a host that says nothing, and a switch that exchanges
//! the service manager that carries it.

use spawnlab::prelude::*;

use crate::generation::{guest, profile};

/// A container that is declared and was never deployed is no failed unit, even if it is started.
#[scenario(on = Host)]
#[saboteur("started-all-the-same", fails = "the failed units", spares = "deploy::first_deploy_starts_the_container" =>
    drop_in("systemd-nspawn@prod.service", "[Unit]\nConditionPathExists="))]
async fn never_deployed_is_no_failed_unit(lab: &Lab) -> Outcome {
    let host = lab.host();
    // As multi-user.target does at each boot.
    host.execute("systemctl start systemd-nspawn@bare.service systemd-nspawn@prod.service")
        .await?;
    let failed = host
        .succeed("systemctl --failed --plain --no-legend --no-pager")
        .await?;
    expect("the failed units").equal(failed.trim(), "")?;
    let state = "systemctl show -P ActiveState systemd-nspawn@bare.service";
    expect("its state").equal(host.succeed(state).await?.trim(), "inactive")
}

/// Takes connections for the host `silent`, and says nothing.
const SILENT: &str = "systemd-run --quiet --unit=silent -E PATH busybox nc -ll -p 2222 -e sleep 600
    printf 'Host silent\\n    HostName 127.0.0.1\\n    Port 2222\\n' >> /home/deployer/.ssh/config
    for try in $(seq 100); do ss -Hltn 'sport = :2222' | grep -q . && exit 0; sleep 0.1; done; exit 1";

/// A host that accepts the connection and then says nothing ends the deploy by the deadline that was
/// given, and in an error.
#[scenario(on = Host, needs = [GivesUpOnSilence])]
#[saboteur("answers-after-all", fails = "the deploy to a silent host",
    spares = "contract::never_deployed_is_no_failed_unit" =>
    "printf '%s\\n' 'Host silent' 'HostName localhost' 'Port 22' 'HostKeyAlias localhost' \
         'GlobalKnownHostsFile /etc/ssh/ssh_known_hosts /var/lib/spawnlab/known_hosts' >> /home/deployer/.ssh/config")]
async fn silent_host_ends_the_deploy(lab: &Lab) -> Outcome {
    lab.host().succeed(SILENT).await?;
    let deploy = Deploy::of("bare")
        .to("root@silent")
        .flag("--connect-timeout=15s");
    let said = expect("the deploy to a silent host").refused(lab.deploy(deploy).await?)?;
    expect("what the error says").contains(&said, "silent")
}

/// A switch that executes the guest's service manager anew, as for another systemd, ends, and the
/// guest runs what was deployed (<https://github.com/NixOS/nixpkgs/issues/83432>).
#[scenario(on = Deployed, limit = 90)]
#[saboteur("reload-never-ends", fails = "the deploy", spares = "names::name_is_the_leased_address" =>
    drop_in("systemd-nspawn@web.service",
        "[Service]\nExecReload=/bin/sh -c 'exec sleep infinity'\nTimeoutStartSec=5"))]
async fn switch_may_exchange_the_service_manager(lab: &Lab) -> Outcome {
    let host = lab.host();
    let web = host.container("web");
    let before = guest(&web).await?;
    let output = lab.deploy(Deploy::of("web-manager").into("web")).await?;
    expect("the deploy").succeeded(output)?;
    let log = "journalctl -M web --boot --no-pager -o cat _PID=1";
    expect("what the service manager says").contains(&host.succeed(log).await?, "Reexecuting")?;
    let (_, built) = profile(host, "web").await?;
    let after = guest(&web).await?;
    expect("the running closure").equal(&after.closure, &built)?;
    expect("the boot id").equal(&after.boot_id, &before.boot_id)
}

/// The root of a container that is declared has `/usr`, without which systemd-nspawn takes it for no operating
/// system, and gets it back at each boot (<https://github.com/NixOS/nixpkgs/issues/538540>).
#[scenario(on = Host)]
#[saboteur("usr-is-not-declared", fails = "the root's /usr", spares = "status::host_has_no_failed_units" =>
    "file=$(grep -l machines/bare/usr /etc/tmpfiles.d/*); /lab/tools/editable $file
     sed -i '/machines.bare.usr/d' $file")]
async fn root_of_a_container_has_usr(lab: &Lab) -> Outcome {
    const USR: &str = "/var/lib/machines/bare/usr";
    let host = lab.host();
    // What systemd-tmpfiles-setup.service does at a boot.
    let again = format!("rm -r {USR} && systemd-tmpfiles --create --prefix=/var/lib/machines");
    host.execute(&again).await?;
    let usr = host.execute(&format!("test -d {USR}")).await?;
    expect("the root's /usr").succeeded(usr)?;
    let deployed = lab.deploy(Deploy::of("bare")).await?;
    expect("the deploy").succeeded(deployed)?;
    Ok(())
}
