//! What is true of a host and its container when a deploy is over, whatever happened to it, and what makes it false.

use std::time::Duration;

use spawnlab::prelude::*;

use crate::generation::{page, profile, runs_its_profile};

/// How long a deploy may leave something behind once it is over, and a look at what is left may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Which generation there was after the deploy that something happened to, in the evidence folder.
const GENERATION: &str = "generation.txt";

/// The lab's hosts have Nix' database unflushed, which is faster. Where the power is cut, Nix is as it is by default.
pub(super) const NIX_AS_IT_IS: &str = "/lab/tools/editable /etc/nix/nix.conf
    sed -i /fsync-metadata/d /etc/nix/nix.conf
    systemctl try-restart nix-daemon.service; sync";

/// What a deploy that is over has left: in the profile's folder, locks, processes and connections.
const LEFT: &str = "cd /nix/var/nix/profiles/per-container/web
    ls -A | grep -vxE 'system|system-[0-9]+-link'
    flock -n . true || echo 'the folder is locked'
    pgrep -a -x nixos-deploy-co; pgrep -a -u deployer
    for link in system-*-link; do [ -e $link/. ] || echo \"$link leads nowhere\"; done
    true";

/// Compares the systems of guests and their derivations with Nix' database, which is what deploys here bring. The tree of the
/// guests' distribution, which none brings, would take an emulated host minutes.
const DAMAGED: &str = "mkdir -p /run/hold; nix-store --verify 2>&1 | grep 'disappeared, but'
    find /nix/store -mindepth 1 -maxdepth 1 -name '*-guest-system-*' > /run/hold/paths
    xargs nix-store --check-validity --print-invalid < /run/hold/paths > /run/hold/invalid
    grep -vxF -f /run/hold/invalid /run/hold/paths | xargs nix-store --verify-path 2>&1
    true";

/// A unit that fails as soon as the deploy goes on.
pub(in crate::areas) const FAILING_UNIT: &str =
    "systemd-run --quiet --unit=sabotage -E PATH sh -c '
    until [ -e /run/hold/go ]; do sleep 0.1; done; exit 1'";

/// The guest's web server ends, and is not started again.
pub(in crate::areas) const SERVER_STOPS: &str = "/lab/tools/in-guest web 'systemctl mask --runtime nginx.service; systemctl stop nginx.service'";

/// Appends to what no deploy here writes or reads.
pub(in crate::areas) const DAMAGE: &str =
    "path=$(nix-store --query --deriver /nix/var/nix/profiles/per-container/web/system-1-link)
    chmod u+w $path; echo >> $path";

/// Something is left in the profile's folder, also after a power cut.
pub(in crate::areas) const SOMETHING_IS_LEFT: &str =
    "ln -s lost /nix/var/nix/profiles/per-container/web/.half; sync";

/// What is true of a host that a deploy is over on, whatever happened to it.
pub(in crate::areas) async fn is_whole(lab: &Lab, said: &str) -> Outcome {
    let host = lab.host();
    nothing_is_left(host, said).await?;
    host.container("web").wait_ready().await?;
    serves_what_its_profile_says(lab).await?;
    nix_finds_nothing(host).await
}

/// What is true of a host that was down in the middle of a deploy. What the deploy left, by which the next one knows of it,
/// is there until then, and so may be what Nix has registered and the disk has not.
pub(super) async fn is_whole_after_a_boot(lab: &Lab) -> Outcome {
    let host = lab.host();
    host.execute_within("systemctl is-system-running --wait", lab.seconds(30))
        .await?;
    host.container("web").wait_ready().await?;
    serves_what_its_profile_says(lab).await
}

async fn serves_what_its_profile_says(lab: &Lab) -> Outcome {
    let host = lab.host();
    let state = host
        .execute_within("systemctl is-system-running --wait", lab.seconds(30))
        .await?;
    expect("the host's state").equal(state.stdout.trim(), "running")?;
    runs_its_profile(host, "web").await?;
    let (generation, _) = profile(host, "web").await?;
    std::fs::write(host.evidence().join(GENERATION), format!("{generation}\n"))
        .map_err(Error::from)?;
    let wanted = match generation.as_str() {
        "system-1-link" => "web version 1",
        _ => "web version 2",
    };
    serves(host, &generation, wanted).await
}

/// The systems of guests are what Nix' database says.
pub(super) async fn nix_finds_nothing(host: &Host) -> Outcome {
    let damaged = host.execute_within(DAMAGED, LIMIT).await?;
    expect("what Nix finds").equal(damaged.stdout.trim(), "")
}

/// Nothing is left of a deploy that is over, or about to be: a switch that has begun comes to its end by itself.
pub(in crate::areas) async fn nothing_is_left(host: &Host, said: &str) -> Outcome {
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
pub(in crate::areas) async fn serves(host: &Host, generation: &str, wanted: &str) -> Outcome {
    let (is, _) = profile(host, "web").await?;
    expect("the generation").equal(is.as_str(), generation)?;
    let page = expect("the page").succeeded(page(host, "web").await?)?;
    expect("the page").equal(page.trim(), wanted)
}
