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

/// A service in the guest may have namespaces of its own with a `/proc` of its own, as Nix' sandbox and rootless
/// containers need it (<https://github.com/systemd/systemd/issues/34226>, <https://github.com/NixOS/nix/issues/13128>).
#[scenario(on = Deployed)]
#[saboteur("no-namespaces-at-all", fails = "a user namespace", spares = "status::guests_have_no_failed_units" =>
    "sysctl -q user.max_user_namespaces=0")]
async fn proc_of_its_own_can_be_mounted(lab: &Lab) -> Outcome {
    let web = lab.host().container("web");
    let user = web.execute("unshare --user --map-root-user true").await?;
    expect("a user namespace").succeeded(user)?;
    let mount = "unshare --user --map-root-user --pid --fork --mount-proc true";
    let mounted = web.execute(mount).await?;
    expect("a /proc of its own").succeeded(mounted)?;
    Ok(())
}

/// Puts a secret into a folder with its first generation, where a link leads, and binds what `/etc/lab/bind` says,
/// or else the folder. Its parent keeps the host's other users out: the guest's root has to read it as a stranger.
const SECRETS: &str =
    "set -e; mkdir -p -m 700 /run/secrets-of-web; mkdir -p /run/secrets-of-web/web/1
    echo first > /run/secrets-of-web/web/1/key; chmod 444 /run/secrets-of-web/web/1/key
    ln -s /run/secrets-of-web/web/1 /run/secrets-of-web/web/current
    bind=$(cat /etc/lab/bind 2>/dev/null || echo /run/secrets-of-web/web)
    /lab/tools/editable /etc/systemd/nspawn/web.nspawn
    sed -i \"/^BindReadOnly=.nix.store/i BindReadOnly=$bind:$bind\" /etc/systemd/nspawn/web.nspawn
    systemctl restart systemd-nspawn@web.service";

/// Moves the link to a second generation, and removes the first.
const NEXT_GENERATION: &str =
    "set -e; cd /run/secrets-of-web/web; mkdir 2; echo second > 2/key; chmod 444 2/key
    ln -s /run/secrets-of-web/web/2 next; mv -T next current; rm -r 1";

/// A guest that binds the folder where the generations of its secrets lie, with the link to the newest one in it,
/// reads the newest secret without a restart (<https://github.com/ryantm/agenix/issues/145>).
#[scenario(on = Deployed, limit = 90)]
#[saboteur("link-itself-is-bound", fails = "the secret of the next generation", spares = "names::name_is_the_leased_address" =>
    "echo /run/secrets-of-web/web/current > /etc/lab/bind")]
async fn newest_secret_is_read_without_a_restart(lab: &Lab) -> Outcome {
    const READ: &str = "cat /run/secrets-of-web/web/current/key";
    let host = lab.host();
    let web = host.container("web");
    let bound = host.execute_within(SECRETS, RESTART).await?;
    expect("the restart with the bind").succeeded(bound)?;
    let first = expect("the secret").succeeded(web.execute(READ).await?)?;
    expect("the secret").equal(first.trim(), "first")?;
    host.succeed(NEXT_GENERATION).await?;
    let second = expect("the secret of the next generation").succeeded(web.execute(READ).await?)?;
    expect("the secret of the next generation").equal(second.trim(), "second")?;
    web.wait_ready().await
}
