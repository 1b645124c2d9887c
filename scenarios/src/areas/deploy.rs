//! What the deploy tool does to a container, and what it leaves alone.

use spawnlab::prelude::*;

use crate::generation::{guest, page, profile, runs_its_profile};

/// The derivations of the lab's machines that the host's store holds, one per line.
const COPIED: &str = "find /nix/store -maxdepth 1 -name '*-guest-system-*.drv'";

/// The guest of `web` runs a copy of the closure that it ran.
pub(super) const RUN_A_COPY: Change = script(
    "/lab/tools/in-guest web 'cp -a `readlink -f /run/current-system` /run/other; ln -sfn /run/other /run/current-system'",
);

/// Refuses whatever is copied to root over ssh.
pub(super) const REFUSE_COPIES: Change = script(
    r#"printf '%s\n' '#!/bin/sh' 'case $SSH_ORIGINAL_COMMAND in *nix-daemon*) exit 1 ;; esac' \
        'exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"' >/root/sabotage
    chmod 755 /root/sabotage
    sed -i 's,^,command="/root/sabotage" ,' /root/.ssh/authorized_keys"#,
);

/// A first deploy brings the derivation to the host, builds it into the container's profile and
/// starts the container on it.
#[scenario(on = Host, limit = 90)]
#[saboteur("copy-refused", fails = "the first deploy",
    spares = "deploy::undeclared_container_is_refused_before_copying" =>
    REFUSE_COPIES)]
#[saboteur("unit-masked", fails = "the first deploy",
    spares = "deploy::container_may_be_named_otherwise_than_its_machine" =>
    "systemctl mask --runtime systemd-nspawn@bare.service")]
async fn first_deploy_starts_the_container(lab: &Lab) -> Outcome {
    let host = lab.host();
    expect("what the host has before").equal(host.succeed(COPIED).await?, "")?;
    let output = lab.deploy(Deploy::of("bare")).await?;
    expect("the first deploy").succeeded(output)?;
    expect("the copied derivation").contains(&host.succeed(COPIED).await?, "guest-system-bare")?;
    runs_its_profile(host, "bare").await
}

/// Container `prod` runs machine `bare`: the third argument names the container, and the
/// container `bare` has nothing to do with it.
#[scenario(on = Host, limit = 90)]
#[saboteur("unit-masked", fails = "the deploy", spares = "deploy::first_deploy_starts_the_container" =>
    "systemctl mask --runtime systemd-nspawn@prod.service")]
#[saboteur("another-host-name", fails = "the guest's host name", spares = "deploy::first_deploy_starts_the_container" =>
    edit("/etc/systemd/nspawn/prod.nspawn", "/^Boot=/a Hostname=bare"))]
async fn container_may_be_named_otherwise_than_its_machine(lab: &Lab) -> Outcome {
    let host = lab.host();
    let output = lab.deploy(Deploy::of("bare").into("prod")).await?;
    expect("the deploy").succeeded(output)?;
    let name = host
        .container("prod")
        .succeed("cat /proc/sys/kernel/hostname")
        .await?;
    expect("the guest's host name").equal(name.trim(), "prod")?;
    let (_, built) = profile(host, "prod").await?;
    expect("the machine").contains(&built, "guest-system-bare")?;
    let (generation, _) = profile(host, "bare").await?;
    expect("the machine's own container").equal(generation.as_str(), "")
}

/// Requests the page until the machine ends. `lost` gets a line for each request without an answer.
const PROBER: &str = "mkdir /run/prober; cd /run/prober; touch answered lost
    systemd-run --quiet --unit=prober -E PATH --working-directory=/run/prober sh -c '
        while :; do curl -fsS -m 10 http://web/ >>answered 2>>lost; sleep 0.1; done'
    for try in $(seq 100); do [ ! -s answered ] || exit 0; sleep 0.1; done; exit 1";

/// A second deploy switches the running guest: it is not restarted, a service that did not change
/// keeps its process, and who requests the page all the while always gets an answer.
#[scenario(on = Deployed, limit = 90)]
#[saboteur("reload-restarts-the-container", fails = "the boot id", spares = "names::name_is_the_leased_address" =>
    drop_in("systemd-nspawn@web.service",
        "[Service]\nExecReload=/bin/sh -c 'systemctl --no-block restart systemd-nspawn@%i.service'"))]
#[saboteur("switch-restarts-more-than-changed", fails = "the unchanged service",
    spares = "names::name_is_the_leased_address" =>
    "/lab/tools/in-guest web 'mkdir -p /run/systemd/system/nginx.service.d
         printf \"[Service]\\nExecReload=%s restart steady.service\\n\" $(command -v systemctl) \
             > /run/systemd/system/nginx.service.d/sabotage.conf'")]
#[saboteur("reload-takes-the-link-down", fails = "the requests without an answer",
    spares = "names::name_is_the_leased_address" =>
    "mkdir -p /run/systemd/system/systemd-nspawn@web.service.d
     printf '[Service]\\nExecReload=/bin/sh -c \"%s link set ve-web down; sleep 1; exec %s link set ve-web up\"\\n' \
         $(command -v ip) $(command -v ip) > /run/systemd/system/systemd-nspawn@web.service.d/zz-sabotage.conf
     systemctl daemon-reload")]
async fn second_deploy_switches_without_restart(lab: &Lab) -> Outcome {
    let host = lab.host();
    let web = host.container("web");
    let before = guest(&web).await?;
    host.succeed(PROBER).await?;
    let output = lab.deploy(Deploy::of("web-v2").into("web")).await?;
    expect("the second deploy").succeeded(output)?;
    let after = guest(&web).await?;
    expect("the boot id").equal(&after.boot_id, &before.boot_id)?;
    expect("the unchanged service").equal(&after.steady, &before.steady)?;
    expect("the running closure").differ(&after.closure, &before.closure)?;
    let lost = "until grep -q 'version 2' /run/prober/answered || [ -s /run/prober/lost ]; do sleep 0.1; done
        cat /run/prober/lost";
    expect("the requests without an answer").equal(host.succeed(lost).await?, "")
}

/// What is deployed already is not deployed again: no new generation, no reload, no restart.
#[scenario(on = Deployed, needs = [Idempotent])]
#[saboteur("guest-runs-something-else", fails = "the last change of the unit's state",
    spares = "names::name_is_the_leased_address" => RUN_A_COPY)]
async fn same_closure_twice_changes_nothing(lab: &Lab) -> Outcome {
    let host = lab.host();
    let state = "systemctl show -P StateChangeTimestampMonotonic systemd-nspawn@web.service";
    let before = (profile(host, "web").await?, host.succeed(state).await?);
    let output = lab.deploy(Deploy::of("web")).await?;
    expect("the same deploy again").succeeded(output)?;
    let after = (profile(host, "web").await?, host.succeed(state).await?);
    expect("the generation").equal(&after.0, &before.0)?;
    expect("the last change of the unit's state").equal(&after.1, &before.1)
}

/// A generation whose units fail is not kept: the deploy is an error that names the unit, and the
/// old generation serves on.
#[scenario(on = Deployed, limit = 90, needs = [RestoresAfterFailure])]
#[expects(FailedUnit("broken.service") in "web", because = "the generation that is deployed is broken")]
#[saboteur("failures-are-hidden", fails = "the deploy of a broken generation",
    spares = "names::name_is_the_leased_address" =>
    "mkdir -p /run/systemd/system/systemd-nspawn@web.service.d
     systemctl cat systemd-nspawn@web.service | sed -n 's/^ExecReload=/&-/p' |
         sed '1i[Service]\\nExecReload=' > /run/systemd/system/systemd-nspawn@web.service.d/zz-sabotage.conf
     systemctl daemon-reload")]
#[saboteur("old-closure-is-damaged", fails = "the old page", spares = "names::name_is_the_leased_address" =>
    "closure=$(readlink -f /nix/var/nix/profiles/per-container/web/system)
     /lab/tools/writable-store
     for page in share/www/index.html etc/www/index.html; do
         [ ! -e $closure/$page ] || echo 'web version 0' > $(readlink -f $closure/$page)
     done")]
async fn broken_generation_leaves_the_old_one_serving(lab: &Lab) -> Outcome {
    let host = lab.host();
    let before = profile(host, "web").await?;
    let output = lab.deploy(Deploy::of("web-broken").into("web")).await?;
    let said = expect("the deploy of a broken generation").refused(output)?;
    expect("what the error says").contains(&said, "broken.service")?;
    expect("the profile").equal(&profile(host, "web").await?, &before)?;
    let running = guest(&host.container("web")).await?.closure;
    expect("the running closure").equal(running, before.1)?;
    let page = expect("the old page").succeeded(page(host, "web").await?)?;
    expect("the old page").equal(page.trim(), "web version 1")
}

/// A reload that reports success although the guest was lost on the way, and never switched, is
/// an error: the tool asks the guest what it runs.
#[scenario(on = Deployed, limit = 90, needs = [ChecksTheGuest])]
#[saboteur("reload-works-after-all", fails = "the deploy whose switch was lost",
    spares = "names::name_is_the_leased_address" =>
    "mkdir -p /run/systemd/system/systemd-nspawn@web.service.d
     { printf '[Service]\\nExecReload=\\n'
       systemctl cat systemd-nspawn@web.service | grep ^ExecReload=
     } > /run/systemd/system/systemd-nspawn@web.service.d/zz-sabotage.conf")]
async fn lost_guest_is_noticed(lab: &Lab) -> Outcome {
    let host = lab.host();
    let before = profile(host, "web").await?;
    // As after https://github.com/NixOS/nixpkgs/issues/499574: nothing happened, and status 0.
    host.succeed(
        "mkdir -p /run/systemd/system/systemd-nspawn@web.service.d
         printf '[Service]\\nExecReload=\\nExecReload=/bin/sh -c true\\n' > /run/systemd/system/systemd-nspawn@web.service.d/zy-lost.conf
         systemctl daemon-reload",
    )
    .await?;
    let output = lab.deploy(Deploy::of("web-v2").into("web")).await?;
    expect("the deploy whose switch was lost").refused(output)?;
    expect("the profile").equal(&profile(host, "web").await?, &before)?;
    let running = guest(&host.container("web")).await?.closure;
    expect("the running closure").equal(running, before.1)
}

/// The previous generation comes back on demand, without a restart.
#[scenario(on = Deployed, limit = 90, needs = [RollsBack])]
#[saboteur("previous-generation-is-gone", fails = "the rollback", spares = "names::name_is_the_leased_address" =>
    "cd /nix/var/nix/profiles/per-container/web
     ln -sfn $(readlink -f system) system; rm system-1-link")]
async fn rollback_brings_the_previous_generation_back(lab: &Lab) -> Outcome {
    let host = lab.host();
    let web = host.container("web");
    let before = guest(&web).await?;
    let output = lab.deploy(Deploy::of("web-v2").into("web")).await?;
    expect("the second deploy").succeeded(output)?;
    let output = lab.deploy(Deploy::of("web").flag("--rollback")).await?;
    expect("the rollback").succeeded(output)?;
    expect("the guest after the rollback").equal(guest(&web).await?, before)
}

/// A container that the host does not declare is refused, by name, before anything is copied.
#[scenario(on = Host, needs = [RefusesUndeclared])]
#[saboteur("declared-after-all", fails = "the deploy into nowhere",
    spares = "deploy::first_deploy_starts_the_container" =>
    "/lab/tools/declare-like bare ghost")]
#[saboteur("copied-before", fails = "what was copied",
    spares = "deploy::container_may_be_named_otherwise_than_its_machine" =>
    "/lab/tools/writable-store
     touch /nix/store/00000000000000000000000000000000-guest-system-bare.drv")]
async fn undeclared_container_is_refused_before_copying(lab: &Lab) -> Outcome {
    let output = lab.deploy(Deploy::of("bare").into("ghost")).await?;
    let said = expect("the deploy into nowhere").refused(output)?;
    expect("what the error says").contains(&said, "ghost")?;
    expect("what was copied").equal(lab.host().succeed(COPIED).await?, "")
}

/// Declares the container `web` with another setting.
const APPLY_CHANGED: &str =
    "sed 's/web = { };/web.nspawnConfig.execConfig.Environment = \"LAB=changed\";/' \
        /lab/containers.nix > /etc/lab/containers.nix
    apply-containers /etc/lab/containers.nix";

/// Changed settings of one container restart that one, which then has them, and no other.
#[scenario(on = Deployed, limit = 90)]
#[saboteur("settings-are-there-already", fails = "the boot id of the changed one",
    spares = "names::name_is_the_leased_address" =>
    script(APPLY_CHANGED))]
#[saboteur("the-other-depends-on-it", fails = "the boot id of the other",
    spares = "names::name_is_the_leased_address" =>
    drop_in("systemd-nspawn@a-container-with-a-long-name.service", "[Unit]\nPartOf=systemd-nspawn@web.service"))]
async fn changed_settings_restart_that_container_only(lab: &Lab) -> Outcome {
    let host = lab.host();
    let changed = host.container("web");
    let other = host.container("a-container-with-a-long-name");
    let before = (guest(&changed).await?, guest(&other).await?);
    expect("apply").succeeded(host.execute(APPLY_CHANGED).await?)?;
    let after = (guest(&changed).await?, guest(&other).await?);
    expect("the boot id of the changed one").differ(&after.0.boot_id, &before.0.boot_id)?;
    expect("the boot id of the other").equal(&after.1, &before.1)?;
    let environment = changed.succeed("tr '\\0' '\\n' </proc/1/environ").await?;
    expect("the new setting").contains(&environment, "LAB=changed")
}

/// Two flakes deploy to one host, each into its own container, and neither touches the other's.
#[scenario(on = Deployed, limit = 90)]
#[saboteur("one-name-for-both", fails = "the second flake's page", spares = "names::name_is_the_leased_address" =>
    "/lab/tools/name-in-hosts $(getent ahostsv4 web | sed -n '1s/ .*//p') a-container-with-a-long-name")]
async fn two_flakes_deploy_to_one_host(lab: &Lab) -> Outcome {
    const OTHER: &str = "a-container-with-a-long-name";
    let host = lab.host();
    host.succeed(
        // Where evaluating takes long, the image has it already.
        "[ -d /home/deployer/other ] || {
             cp -r --preserve=ownership /home/deployer/flake /home/deployer/other
             sed -i 's/web version 2/page of another flake/' /home/deployer/other/flake.nix
         }",
    )
    .await?;
    let output = lab.deploy(Deploy::of("web-v2").into("web")).await?;
    expect("the first flake's deploy").succeeded(output)?;
    let first = guest(&host.container("web")).await?;
    let deploy = Deploy::of("web-v2")
        .into(OTHER)
        .from_flake("/home/deployer/other");
    expect("the second flake's deploy").succeeded(lab.deploy(deploy).await?)?;
    expect("the first flake's container").equal(guest(&host.container("web")).await?, first)?;
    let pages = (
        page(host, "web").await?.stdout,
        page(host, OTHER).await?.stdout,
    );
    expect("the first flake's page").equal(pages.0.trim(), "web version 2")?;
    expect("the second flake's page").equal(pages.1.trim(), "page of another flake")
}

/// After a reboot of the host its containers run again, on the generations that they ran before.
#[scenario(on = Deployed, limit = 180)]
#[saboteur("not-wanted-at-boot", fails = "the container after the reboot",
    spares = "names::name_is_the_leased_address" =>
    // Every boot of NixOS links its units anew: there the container's condition is what can be broken.
    "rm /etc/systemd/system/multi-user.target.wants/systemd-nspawn@web.service ||
         mv /nix/var/nix/profiles/per-container/web/system /nix/var/nix/profiles/per-container/web/away")]
#[saboteur("another-generation-was-built", fails = "the generation after the reboot",
    spares = "names::name_is_the_leased_address" =>
    "old=$(readlink -f /nix/var/nix/profiles/per-container/web/system) new=/nix/store/00000000000000000000000000000000-another
     /lab/tools/writable-store
     cp -a $old $new
     find $new -type f -exec sed -i s,$old,$new,g {} +
     ln -sfn $new /nix/var/nix/profiles/per-container/web/system")]
async fn host_reboot_brings_the_same_generation_back(lab: &Lab) -> Outcome {
    let host = lab.host();
    let web = host.container("web");
    let before = guest(&web).await?;
    host.reboot().await?;
    host.execute_within("systemctl is-system-running --wait", lab.seconds(20))
        .await?;
    let state = host
        .execute("systemctl is-active systemd-nspawn@web.service")
        .await?;
    expect("the container after the reboot").equal(state.stdout.trim(), "active")?;
    let after = guest(&web).await?;
    expect("the boot id").differ(&after.boot_id, &before.boot_id)?;
    expect("the generation after the reboot").equal(&after.closure, &before.closure)?;
    host.container("web").wait_ready().await
}

/// With `-v` the tool shows the commands that it runs.
#[scenario(on = Deployed)]
#[saboteur("flag-is-swallowed", fails = "the commands shown", spares = "names::name_is_the_leased_address" =>
    "rm /usr/local/bin/nixos-deploy-container",
    file("/usr/local/bin/nixos-deploy-container", r#"#!/bin/sh
[ "$1" != -v ] || shift
exec /lab/tool/nixos-deploy-container "$@""#),
    "chmod 755 /usr/local/bin/nixos-deploy-container")]
async fn verbose_shows_the_commands(lab: &Lab) -> Outcome {
    let output = lab.deploy(Deploy::of("web").flag("-v")).await?;
    let lines = output.stderr.lines().chain(output.stdout.lines());
    // What a tool has Nix do; how it marks a command is its own affair.
    let commands: Vec<&str> = lines
        .filter(|line| line.contains("copy --derivation") || line.contains("nix build "))
        .collect();
    let commands = commands.join("\n");
    expect("the deploy").succeeded(output)?;
    expect("the commands shown").contains(&commands, "nix")
}
