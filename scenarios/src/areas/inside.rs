//! What user namespaces make difficult for services inside a container.

use spawnlab::{prelude::*, scenario::ready::RESTART};

/// A service in the guest with a user of its own for each start keeps its state folder
/// (<https://github.com/NixOS/nixpkgs/issues/69422>, <https://github.com/systemd/systemd/issues/13622>).
#[scenario(on = Deployed)]
#[saboteur("state-cannot-be-written", fails = "the second start", spares = "status::guests_have_no_failed_units" =>
    "/lab/tools/in-guest web 'mkdir -p /var/lib/private; mount -t tmpfs -o ro none /var/lib/private'")]
async fn dynamic_user_keeps_its_state(lab: &Lab) -> Outcome {
    let web = lab.host().container("web");
    let start = "systemd-run --quiet --wait --collect --pipe -E PATH -p DynamicUser=yes -p StateDirectory=lab \
        sh -c 'id -un; echo start >>/var/lib/lab/starts; cat /var/lib/lab/starts'";
    web.execute(start).await?;
    let second = expect("the second start").succeeded(web.execute(start).await?)?;
    let (user, starts) = second.split_once('\n').unwrap_or_default();
    expect("its user").differ(user, "root")?;
    expect("its state").equal(starts, "start\nstart\n")
}

/// On a folder of the host's that is bound into the guest with `idmap`, the guest's root writes and
/// gives files away (<https://github.com/NixOS/nixpkgs/issues/419007>, <https://github.com/systemd/systemd/issues/38771>).
#[scenario(on = Deployed, limit = 90)]
#[saboteur("ids-are-not-mapped", fails = "what the guest can do", spares = "names::name_is_the_leased_address" =>
    "echo /srv/data:/data > /etc/lab/bind")]
async fn root_writes_and_chowns_on_a_bind(lab: &Lab) -> Outcome {
    let host = lab.host();
    let bind = "set -e; mkdir -p /srv/data; bind=$(cat /etc/lab/bind 2>/dev/null || echo /srv/data:/data:idmap)
         /lab/tools/editable /etc/systemd/nspawn/web.nspawn
         sed -i \"/^BindReadOnly=.nix.store/i Bind=$bind\" /etc/systemd/nspawn/web.nspawn
         systemctl restart systemd-nspawn@web.service";
    let bound = host.execute_within(bind, RESTART).await?;
    expect("the restart with the bind").succeeded(bound)?;
    let done = host
        .container("web")
        .execute("echo text >/data/file && chown 1234 /data/file && stat -c '%u %s' /data/file")
        .await?;
    let done = expect("what the guest can do").succeeded(done)?;
    expect("the file in the guest").equal(done.trim(), "1234 5")?;
    let ours = host.succeed("stat -c '%u %s' /srv/data/file").await?;
    expect("the file on the host").equal(ours.trim(), "1234 5")?;
    host.container("web").wait_ready().await
}
