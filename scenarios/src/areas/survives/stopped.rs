//! What is left of a deploy that something happens to: it is held at one of its steps, so that this happens there and
//! not a little before or after.

use std::time::Duration;

use spawnlab::prelude::*;

use crate::{
    areas::deploy::REFUSE_COPIES,
    generation::{page, profile, runs_its_profile},
};

/// How long a deploy may take to come to a step, and to leave nothing behind once it is over.
const LIMIT: Duration = Duration::from_secs(60);

/// The program that a step calls, and some of the words that it calls it with.
fn called_by(step: &str) -> (&'static str, &'static str) {
    match step {
        "evaluate" => ("nix", "path-info --derivation"),
        "copy" => ("nix", "copy --derivation"),
        "build" => ("nix", "--out-link"),
        "profile" => ("sync", "-f /nix/store"),
        "activate" => ("systemctl", "reload-or-restart systemd-nspawn@web"),
        _ => ("systemd-run", "--machine=web"),
    }
}

/// Waits for `/run/hold/go`, and says by `/run/hold/held` that it does, where the program is called with the words in
/// `/run/hold/words`.
const HELD: &str = r#"case "$*" in *"$(cat /run/hold/words)"*)
    touch /run/hold/held
    until [ -e /run/hold/go ]; do sleep 0.1; done
esac
real "$@""#;

/// Has the program that `step` calls wait until it is let go.
fn hold(step: &str) -> String {
    let (program, words) = called_by(step);
    let shim = shim(program, HELD).script();
    format!("mkdir -p -m 1777 /run/hold\necho '{words}' >/run/hold/words\n{shim}")
}

/// What happens, as a script for the host, which fails if it does not.
fn fault(name: &str) -> &'static str {
    match name {
        "killed" => "pkill -KILL -x nixos-deploy-co",
        "interrupted" => "pkill -INT -x nixos-deploy-co",
        "collection" => "nix-store --gc 2>&1",
        "container_killed" => "systemctl kill --signal=KILL systemd-nspawn@web.service",
        // Whatever is left, down to single blocks.
        _ => {
            "mkdir /full; for size in 4G 512M 64M 8M 1M 64K 4K; do
                 for file in $(seq 99); do fallocate -l $size /full/$size-$file 2>/dev/null || break; done
             done; ! fallocate -l 4K /full/more 2>/dev/null"
        }
    }
}

/// What a deploy that is over has left: in the profile's folder, locks, processes and connections.
const LEFT: &str = "cd /nix/var/nix/profiles/per-container/web
    ls -A | grep -vxE 'system|system-[0-9]+-link'
    flock -n . true || echo 'the folder is locked'
    pgrep -a -x nixos-deploy-co; pgrep -a -u deployer
    for link in system-*-link; do [ -e $link/. ] || echo \"$link leads nowhere\"; done
    true";

/// Compares the systems of guests and their derivations with Nix' database, which is what deploys here bring. The tree of the
/// guests' distribution, which none brings, would take an emulated host minutes.
const DAMAGED: &str = "nix-store --verify 2>&1 | grep 'disappeared, but'
    find /nix/store -mindepth 1 -maxdepth 1 -name '*-guest-system-*' > /run/hold/paths
    xargs nix-store --check-validity --print-invalid < /run/hold/paths > /run/hold/invalid
    grep -vxF -f /run/hold/invalid /run/hold/paths | xargs nix-store --verify-path 2>&1
    true";

/// A deploy at one of whose steps the tool is killed or interrupted, garbage is collected or the disk is full, leaves the old
/// generation or the new one, whole, and nothing else; the next deploy needs no cleaning up: {case}.
#[scenario(on = Deployed, area = "survives", limit = 180, needs = [RestoresAfterFailure], cases(
    killed_at_evaluate, killed_at_copy, interrupted_at_build, killed_at_profile, interrupted_at_activate,
    killed_at_check, collection_at_build, collection_at_profile, disk_full_at_build))]
#[saboteur("guest-runs-something-else", fails = "the running closure", case = killed_at_evaluate,
    spares = "names::name_is_the_leased_address" =>
    "/lab/tools/in-guest web 'cp -a `readlink -f /run/current-system` /run/other; ln -sfn /run/other /run/current-system'")]
#[saboteur("copy-refused", fails = "the next deploy", case = killed_at_copy,
    spares = "deploy::undeclared_container_is_refused_before_copying" => REFUSE_COPIES)]
#[saboteur("something-is-left", fails = "what is left", case = interrupted_at_activate,
    spares = "names::name_is_the_leased_address" =>
    "ln -s lost /nix/var/nix/profiles/per-container/web/.half")]
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
async fn leaves_old_or_new(lab: &Lab, cell: &str) -> Outcome {
    is_held(lab, cell).await
}

/// The same where the container is killed while the deploy is about to activate.
#[scenario(on = Deployed, area = "survives", limit = 180, needs = [RestoresAfterFailure])]
#[expects(
    FailedUnit("systemd-nspawn@web.service"),
    because = "its container is killed"
)]
#[saboteur("unit-fails", fails = "the host's state",
    spares = "names::name_is_the_leased_address" => script(FAILING_UNIT))]
async fn container_killed_at_activate_leaves_old_or_new(lab: &Lab) -> Outcome {
    is_held(lab, "container_killed_at_activate").await
}

/// Holds a deploy at the step of `cell`, and lets happen what it names.
async fn is_held(lab: &Lab, cell: &str) -> Outcome {
    let host = lab.host();
    let (name, step) = cell.split_once("_at_").unwrap_or((cell, ""));
    host.succeed(&hold(step)).await?;
    let (output, stopped) = tokio::join!(lab.deploy(Deploy::of("web-v2").into("web")), async {
        host.wait_until_succeeds("test -e /run/hold/held", LIMIT)
            .await?;
        let fault = host.execute_within(fault(name), LIMIT).await?;
        expect("what happens to it").succeeded(fault)?;
        host.succeed("touch /run/hold/go").await?;
        Outcome::Ok(())
    });
    stopped?;
    let said = output?.stderr;
    host.succeed("rm -rf /full").await?;
    is_whole(lab, &said).await?;
    let output = lab.deploy(Deploy::of("web-v2").into("web")).await?;
    expect("the next deploy").succeeded(output)?;
    nothing_is_left(host, &said).await?;
    serves(host, "system-2-link", "web version 2").await
}

/// A unit that fails as soon as the deploy goes on.
const FAILING_UNIT: &str = "systemd-run --quiet --unit=sabotage -E PATH sh -c '
    until [ -e /run/hold/go ]; do sleep 0.1; done; exit 1'";

const SERVER_STOPS: &str = "/lab/tools/in-guest web 'systemctl mask --runtime nginx.service; systemctl stop nginx.service'";

/// Appends to what no deploy here writes or reads.
const DAMAGE: &str =
    "path=$(nix-store --query --deriver /nix/var/nix/profiles/per-container/web/system-1-link)
    chmod u+w $path; echo >> $path";

/// What is true of a host that a deploy is over on, whatever happened to it.
async fn is_whole(lab: &Lab, said: &str) -> Outcome {
    let host = lab.host();
    nothing_is_left(host, said).await?;
    host.container("web").wait_ready().await?;
    let state = host
        .execute_within("systemctl is-system-running --wait", lab.seconds(30))
        .await?;
    expect("the host's state").equal(state.stdout.trim(), "running")?;
    runs_its_profile(host, "web").await?;
    let (generation, _) = profile(host, "web").await?;
    let wanted = match generation.as_str() {
        "system-1-link" => "web version 1",
        _ => "web version 2",
    };
    serves(host, &generation, wanted).await?;
    let damaged = host.execute_within(DAMAGED, LIMIT).await?;
    expect("what Nix finds").equal(damaged.stdout.trim(), "")
}

/// Nothing is left of a deploy that is over, or about to be: a switch that has begun comes to its end by itself.
async fn nothing_is_left(host: &Host, said: &str) -> Outcome {
    expect("what is left")
        .eventually(LIMIT, "nothing", || async {
            let left = host.succeed(LEFT).await?;
            Ok(match left.trim() {
                "" => Seen::Ready(()),
                left => Seen::NotYet(format!("{left}; the deploy said: {said}")),
            })
        })
        .await
}

/// `web` is at `generation` and serves the page `wanted`.
async fn serves(host: &Host, generation: &str, wanted: &str) -> Outcome {
    let (is, _) = profile(host, "web").await?;
    expect("the generation").equal(is.as_str(), generation)?;
    let page = expect("the page").succeeded(page(host, "web").await?)?;
    expect("the page").equal(page.trim(), wanted)
}
