//! The network between a laptop and a host is cut while a deploy is held at one of its steps, and healed when the deploy is over.

use std::time::Duration;

use spawnlab::prelude::*;

use super::NO_FLAKE;
use crate::{
    areas::{
        deploy::{REFUSE_COPIES, RUN_A_COPY},
        survives::{
            DAMAGE, FAILING_UNIT, GO, HOLDS, SERVER_STOPS, SOMETHING_IS_LEFT, hold, is_whole,
            nothing_is_left, serves,
        },
    },
    generation::{profile, runs_its_profile},
};

/// Has the host hold each copy at its beginning until `/run/go` is there, and say by `/run/copying` that it does.
const HOLD_COPIES: &str = r#"cat >/root/hold <<'END'
#!/bin/sh
case $SSH_ORIGINAL_COMMAND in *nix-daemon*)
    touch /run/copying
    until [ -e /run/go ]; do sleep 0.1; done
esac
exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"
END
chmod 755 /root/hold
sed -i 's,^,command="/root/hold" ,' /root/.ssh/authorized_keys"#;

/// There is a connection to the host, and all that the host has sent over any has arrived.
const NOTHING_ON_ITS_WAY: &str =
    "ss -Htn state established sport = :22 | awk '{ sent += $2 } END { exit !NR || sent }'";

/// A host that has built takes silence for the word to switch.
const GO_UNASKED: Change = shim(
    "head",
    r#"case "$*" in "-n 1") echo go ;; *) real "$@" ;; esac"#,
);

/// Deploys, cuts the network of the machine `host` when the file `holds` on it says that the deploy is held there, and lets go by
/// the file `go`. Returns what the deploy says.
async fn cut_when(
    lab: &Lab,
    holds: &str,
    go: &str,
    deploy: Deploy<'_>,
) -> Result<Output, ScenarioError> {
    let host = lab.machine("host");
    cut_when_held_on(host, lab, Direction::Both, (holds, Some(go)), deploy).await
}

/// The same where `machine` holds the deploy, and the host's network is cut in one `direction`. All machines have the file `go` then,
/// if there is one.
async fn cut_when_held_on(
    machine: &Host,
    lab: &Lab,
    direction: Direction,
    (holds, go): (&str, Option<&str>),
    deploy: Deploy<'_>,
) -> Result<Output, ScenarioError> {
    let (cut_short, held) = tokio::join!(lab.deploy(deploy), async {
        let limit = Duration::from_secs(60);
        let holds = format!("test -e {holds}");
        machine.wait_until_succeeds(&holds, limit).await?;
        let host = lab.machine("host");
        host.wait_until_succeeds(NOTHING_ON_ITS_WAY, limit).await?;
        lab.network().cut("host", direction)?;
        match go {
            Some(go) => let_go(lab, go).await,
            None => Ok(()),
        }
    });
    held?;
    Ok(cut_short?)
}

/// Puts the file `go` onto all machines.
async fn let_go(lab: &Lab, go: &str) -> Result<()> {
    for machine in lab.machines() {
        let go = format!("mkdir -p $(dirname {go}); touch {go}");
        machine.succeed(&go).await?;
    }
    Ok(())
}

/// A network that is cut while a deploy copies ends it in an error. Once it is whole again, the next deploy succeeds,
/// and nobody has to clean up before.
#[scenario(area = "remote", machines(laptop = Host, host = Host), limit = 300)]
#[saboteur("locked-out-afterwards", fails = "the next deploy", on = "host",
    spares = "remote::first_deploy_from_a_laptop" =>
    "systemd-run --quiet --unit=sabotage -E PATH sh -c '
        until [ -e /run/copying ]; do sleep 0.1; done
        mv /root/.ssh/authorized_keys /root/.ssh/away'")]
async fn cut_while_copying_needs_no_cleaning_up(lab: &Lab) -> Outcome {
    let (laptop, host) = (lab.machine("laptop"), lab.machine("host"));
    host.succeed(HOLD_COPIES).await?;
    let deploy = || Deploy::of("bare").from(laptop).to(host);
    let cut_short = cut_when(lab, "/run/copying", "/run/go", deploy()).await?;
    expect("the deploy that was cut").refused(cut_short)?;
    let (_, deployed) = profile(host, "bare").await?;
    expect("what was deployed").equal(deployed.as_str(), "")?;
    lab.network().heal("host")?;
    expect("the next deploy").succeeded(lab.deploy(deploy()).await?)?;
    runs_its_profile(host, "bare").await
}

/// A network that is cut without a word while the host builds leaves the container as it was: the deploy has said so by
/// the time the build is done. Once it is whole again, the next deploy succeeds.
#[scenario(area = "remote", machines(laptop = Host, host = Host), limit = 300, needs = [GivesUpOnSilence], soak)]
#[saboteur("goes-on-unasked", fails = "the profile after the build", on = "host",
    spares = "remote::first_deploy_from_a_laptop" => GO_UNASKED)]
async fn cut_while_building_leaves_the_container_as_it_was(lab: &Lab) -> Outcome {
    let (laptop, host) = (lab.machine("laptop"), lab.machine("host"));
    host.succeed(&hold("cut_at_build")).await?;
    let deploy = || {
        let deploy = Deploy::of("bare").from(laptop).to(host);
        deploy.flag("--connect-timeout=20s")
    };
    let cut_short = cut_when(lab, HOLDS, GO, deploy()).await?;
    expect("the deploy that was cut").refused(cut_short)?;
    // Whoever still deploys has it locked.
    let folder = "/nix/var/nix/profiles/per-container/bare";
    host.wait_until_succeeds(&format!("flock -n {folder} true"), Duration::from_secs(60))
        .await?;
    let (link, _) = profile(host, "bare").await?;
    expect("the profile after the build").equal(link.as_str(), "")?;
    lab.network().heal("host")?;
    expect("the next deploy").succeeded(lab.deploy(deploy()).await?)?;
    runs_its_profile(host, "bare").await
}

/// What a deploy over ssh has on either side: connections, the tool, and what its host runs for it.
const CONNECTED: &str = "ss -Htn state established state fin-wait-1 state close-wait state last-ack '( sport = :22 or dport = :22 )'
    pgrep -a -x nixos-deploy-co
    pgrep -a -u deployer
    pgrep -a -f '^nix-daemon [-]-stdio'
    true";

/// How long either side may take to notice that a network was cut, and is whole again: it asks again after as long as it has waited.
const NOTICES: Duration = Duration::from_secs(240);

/// The words of a tool that say that a container is as it was.
const UNCHANGED: &str = "no profile and no container was changed";

/// What a case cuts: frames to the host, frames from it, or both.
fn direction(cell: &str) -> Direction {
    match cell {
        _ if cell.starts_with("cut_to_the_host") => Direction::In,
        _ if cell.starts_with("cut_from_the_host") => Direction::Out,
        _ => Direction::Both,
    }
}

/// Nothing is left of a connection between the laptop and the host.
async fn nobody_is_connected(lab: &Lab) -> Outcome {
    for machine in lab.machines() {
        expect("what is left of the connection")
            .eventually(NOTICES, "nothing", || async {
                let left = machine.succeed(CONNECTED).await?;
                Ok(match left.trim() {
                    "" => Seen::Ready(()),
                    left => Seen::NotYet(format!("{} has {left}", machine.name())),
                })
            })
            .await?;
    }
    Ok(())
}

/// What is wrong with what a deploy said, where the profile leads to `generation` afterwards.
fn untrue(said: &Output, generation: &str) -> Option<String> {
    let is_new = generation == "system-2-link";
    let wrong = match said.status.success() {
        true => !is_new,
        false => is_new && said.stderr.contains(UNCHANGED),
    };
    wrong.then(|| format!("{generation}, and the deploy said: {}", said.stderr))
}

/// A network that is cut without a word in the middle of a deploy, both ways or one, leaves the old generation or the new one,
/// whole, and nothing of the connection; what the deploy said is true, and the next one needs no cleaning up: {case}.
#[scenario(area = "remote", machines(laptop = Host, host = Deployed), limit = 360, soak,
    needs = [GivesUpOnSilence, RestoresAfterFailure], cases(
    cut_at_evaluate, cut_at_copy, cut_at_build, cut_at_activate, cut_at_switch, cut_at_check,
    cut_to_the_host_at_copy, cut_to_the_host_at_build, cut_to_the_host_at_activate,
    cut_from_the_host_at_copy, cut_from_the_host_at_build, cut_from_the_host_at_activate,
    cut_until_it_is_forgotten_at_copy, cut_until_it_is_forgotten_at_build))]
#[saboteur("unit-fails", fails = "the host's state", on = "host",
    spares = "names::name_is_the_leased_address" => script(FAILING_UNIT))]
#[saboteur("stays-connected", fails = "what is left of the connection", on = "laptop", case = cut_at_evaluate,
    spares = "remote::first_deploy_from_a_laptop" =>
    "systemd-run --quiet --uid=deployer --setenv=HOME=/home/deployer -E PATH ssh -o ServerAliveInterval=0 root@host sleep infinity")]
#[saboteur("something-is-left", fails = "what is left", on = "host", case = cut_at_copy,
    spares = "names::name_is_the_leased_address" => script(SOMETHING_IS_LEFT))]
#[saboteur("goes-on-unasked", fails = "what the deploy said", on = "host", case = cut_at_build,
    spares = "names::name_is_the_leased_address" => GO_UNASKED)]
#[saboteur("server-stopped", fails = "the page", on = "host", case = cut_to_the_host_at_build,
    spares = "names::name_is_the_leased_address" => script(SERVER_STOPS))]
#[saboteur("store-is-damaged", fails = "what Nix finds", on = "host", case = cut_at_activate,
    spares = "names::name_is_the_leased_address" => script(DAMAGE))]
#[saboteur("guest-runs-something-else", fails = "the running closure", on = "host", case = cut_to_the_host_at_copy,
    spares = "names::name_is_the_leased_address" => RUN_A_COPY)]
#[saboteur("copy-refused", fails = "the next deploy", on = "host", case = cut_at_evaluate,
    spares = "names::name_is_the_leased_address" => REFUSE_COPIES)]
async fn leaves_old_or_new(lab: &Lab, cell: &str) -> Outcome {
    let (laptop, host) = (lab.machine("laptop"), lab.machine("host"));
    host.succeed(NO_FLAKE).await?;
    let holder = match cell.ends_with("at_evaluate") {
        true => laptop,
        false => host,
    };
    holder.succeed(&hold(cell)).await?;
    let deploy = || {
        let deploy = Deploy::of("web-v2").into("web").from(laptop).to(host);
        deploy.flag("--connect-timeout=20s")
    };
    // Nobody tells the host any more that the connection has ended, once the laptop has forgotten it.
    let is_forgotten = cell.starts_with("cut_until_it_is_forgotten");
    let go = (!is_forgotten).then_some(GO);
    let cut = cut_when_held_on(holder, lab, direction(cell), (HOLDS, go), deploy());
    let output = cut.await?;
    if is_forgotten {
        let forgotten = "test -z \"$(ss -Htn state connected dport = :22)\"";
        laptop.wait_until_succeeds(forgotten, NOTICES).await?;
    }
    lab.network().heal("host")?;
    nobody_is_connected(lab).await?;
    let_go(lab, GO).await?;
    is_whole(lab, &output.stderr).await?;
    let (generation, _) = profile(host, "web").await?;
    let untrue = untrue(&output, &generation);
    expect("what the deploy said").that(
        untrue.is_none(),
        "the truth",
        untrue.unwrap_or_default(),
    )?;
    // A switch that has begun comes to its end by itself, and before that nothing is switched to.
    let was_told_to_switch = ["at_activate", "at_switch", "at_check"];
    let wanted = match was_told_to_switch.iter().any(|step| cell.ends_with(step)) {
        true => "system-2-link",
        false => "system-1-link",
    };
    expect("the generation").equal(generation.as_str(), wanted)?;
    let next = lab.deploy(deploy()).await?;
    expect("the next deploy").succeeded(next)?;
    nothing_is_left(host, &output.stderr).await?;
    serves(host, "system-2-link", "web version 2").await
}
