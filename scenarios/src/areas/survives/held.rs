//! A deploy that is held at one of its steps, so that something happens there and not a little before or after.

use std::{pin::pin, time::Duration};

use spawnlab::prelude::*;

use super::whole::{
    NIX_AS_IT_IS, is_whole, is_whole_after_a_boot, nix_finds_nothing, nothing_is_left, serves,
};

/// How long a deploy may take to come to a step, and what happens there may take.
const LIMIT: Duration = Duration::from_secs(60);

/// The program that a step calls, and some of the words that it calls it with: those of the lab's own tool, then what other tools
/// say instead.
fn called_by(step: &str) -> (&'static str, &'static [&'static str]) {
    match step {
        "evaluate" => ("nix", &["path-info --derivation", "eval --raw"]),
        "connect" => ("ssh", &["ControlMaster=yes", "ControlMaster=auto"]),
        "copy" => ("nix", &["copy --derivation"]),
        "receive" => ("nix-daemon", &["--stdio"]),
        "build" => ("nix", &["--out-link", "--profile"]),
        "profile" => ("sync", &["-f /nix/store"]),
        "activate" => ("systemctl", &["reload-or-restart systemd-nspawn@web"]),
        // The service's reload.
        "switch" => ("systemd-run", &["switch-to-configuration"]),
        _ => ("systemd-run", &["cd -P /run/current-system"]),
    }
}

/// What says that a deploy is held, and what lets it go.
pub(in crate::areas) const HOLDS: &str = "/run/hold/held";
pub(in crate::areas) const GO: &str = "/run/hold/go";

/// Waits for `/run/hold/go`, and says by `/run/hold/held` that it does, where the program is called with the words of a line of
/// `/run/hold/words`. Its cgroup is that of the connection that called it.
const HELD: &str = r#"while read -r words; do
    case "$*" in *"$words"*)
        cat /proc/self/cgroup >/run/hold/cgroup
        touch /run/hold/held
        until [ -e /run/hold/go ]; do sleep 0.1; done
    esac
done </run/hold/words
real "$@""#;

/// Has Nix' daemon build for root, as it does for everybody else, and wait in the middle of a build until it is let go.
const HELD_IN_THE_BUILD: &str = r#"cat >/run/hold/hook <<'END'
#!/bin/sh
touch /run/hold/held
until [ -e /run/hold/go ]; do sleep 0.1; done
END
chmod 755 /run/hold/hook
/lab/tools/editable /etc/nix/nix.conf
echo 'pre-build-hook = /run/hold/hook' >>/etc/nix/nix.conf
systemctl restart nix-daemon.service"#;

const BY_THE_DAEMON: Change = shim(
    "nix",
    r#"case "$*" in *--out-link*) export NIX_REMOTE=daemon ;; esac
real "$@""#,
);

/// Has the program that the step of `cell` calls wait until it is let go.
pub(in crate::areas) fn hold(cell: &str) -> String {
    let folder = "mkdir -p -m 1777 /run/hold";
    let step = match fault_and_step(cell) {
        ("daemon_killed", "build") => {
            return format!("{folder}\n{HELD_IN_THE_BUILD}\n{}", BY_THE_DAEMON.script());
        }
        // The end of the copy that is the host's.
        ("daemon_killed" | "memory_exhausted", "copy") => "receive",
        (fault, "copy") if fault.starts_with("cut") => "receive",
        (_, step) => step,
    };
    let (program, words) = called_by(step);
    let shim = shim(program, HELD).script();
    let words = words.join("\n");
    format!("{folder}\necho '{words}' >/run/hold/words\n{shim}")
}

/// What happens, as a script for the host, which fails if it does not.
fn fault(cell: &str) -> &'static str {
    let (name, step) = fault_and_step(cell);
    match name {
        "killed" => "pkill -KILL -x nixos-deploy-co",
        "interrupted" => "pkill -INT -x nixos-deploy-co",
        "collection" => "nix-store --gc 2>&1",
        "container_killed" => "systemctl kill --signal=KILL systemd-nspawn@web.service",
        "manager_killed" => "kill -KILL \"$(machinectl show --property=Leader --value web)\"",
        // The brackets keep the pattern from being found in the command line that has it.
        "daemon_killed" if step == "copy" => "pkill -KILL -f '[n]ix-daemon --stdio'",
        // With what it builds. Whoever asks it next would start it.
        "daemon_killed" => {
            "systemctl kill --signal=KILL nix-daemon.service
            until systemctl is-failed --quiet nix-daemon.service; do sleep 0.1; done
            systemctl start nix-daemon.service"
        }
        "clock_set_back" => "date --set='1 day ago'",
        // All processes of connections together get 2 MiB more than they have. The unit of the host's sshd would be stopped for it,
        // and that of a login session is not.
        "memory_exhausted" => {
            "cgroup=/sys/fs/cgroup$(sed -n 's/^0:://p' /run/hold/cgroup) unit=$(basename $cgroup)
            mkdir -p /run/systemd/system/$unit.d
            printf '[Service]\\nOOMPolicy=continue\\n' >/run/systemd/system/$unit.d/hold.conf
            systemctl daemon-reload
            anonymous=$(sed -n 's/^anon //p' $cgroup/memory.stat)
            echo $((anonymous + 2097152)) >$cgroup/memory.max
            echo max >$cgroup/memory.swap.max || true"
        }
        // Whatever is left, down to single blocks.
        _ => {
            "mkdir /full; for size in 4G 512M 64M 8M 1M 64K 4K; do
                 for file in $(seq 99); do fallocate -l $size /full/$size-$file 2>/dev/null || break; done
             done; ! fallocate -l 4K /full/more 2>/dev/null"
        }
    }
}

/// Gives the host what [`fault`] took from it, as a script.
fn given_back(cell: &str) -> &'static str {
    match fault_and_step(cell) {
        ("disk_full", _) => "rm -r /full",
        ("memory_exhausted", _) => {
            "echo max >/sys/fs/cgroup$(sed -n 's/^0:://p' /run/hold/cgroup)/memory.max"
        }
        _ => ":",
    }
}

/// The fault and the step of `cell`, such as `disk_full_at_build`.
fn fault_and_step(cell: &str) -> (&str, &str) {
    cell.split_once("_at_").unwrap_or((cell, ""))
}

/// Waits until the deploy is at the step that it is held at.
async fn is_there(host: &Host) -> Outcome {
    host.wait_until_succeeds(&format!("test -e {HOLDS}"), LIMIT)
        .await?;
    Ok(())
}

/// Fails for a deploy that ended and was not at the step of `cell`: the tool does that step otherwise.
fn was_not_held(cell: &str, deploy: &Output) -> Outcome {
    let (_, step) = fault_and_step(cell);
    let (program, words) = called_by(step);
    expect("the step").that(
        false,
        format!(
            "a deploy that calls `{program}` with `{}` at its step {step}",
            words.join("` or `")
        ),
        format!(
            "it ended with {} and made no such call: {}",
            deploy.status,
            deploy.stderr.trim_end()
        ),
    )
}

/// Holds a deploy at the step of `cell`, lets happen what it names, and lets go.
pub(super) async fn is_held(lab: &Lab, cell: &str) -> Outcome {
    let host = lab.host();
    host.succeed(&hold(cell)).await?;
    let mut deploy = pin!(lab.deploy(Deploy::of("web-v2").into("web")));
    tokio::select! {
        output = &mut deploy => return was_not_held(cell, &output?),
        there = is_there(host) => there?,
    }
    let (output, stopped) = tokio::join!(deploy, async {
        let happened = host.execute_within(fault(cell), LIMIT).await?;
        expect("what happens to it").succeeded(happened)?;
        host.succeed(&format!("touch {GO}")).await?;
        Outcome::Ok(())
    });
    stopped?;
    let said = output?.stderr;
    host.succeed(given_back(cell)).await?;
    is_whole(lab, &said).await?;
    let output = lab.deploy(Deploy::of("web-v2").into("web")).await?;
    expect("the next deploy").succeeded(output)?;
    nothing_is_left(host, &said).await?;
    serves(host, "system-2-link", "web version 2").await
}

/// Holds a deploy at the step of `cell` and takes the host down in the way that it names, which ends the deploy, too.
pub(super) async fn is_held_when_the_host_goes_down(lab: &Lab, cell: &str) -> Outcome {
    let (way, step) = fault_and_step(cell);
    lab.host().succeed(NIX_AS_IT_IS).await?;
    lab.host().succeed(&hold(cell)).await?;
    let mut deploy = pin!(lab.deploy(Deploy::of("web-v2").into("web")));
    tokio::select! {
        output = &mut deploy => return was_not_held(cell, &output?),
        there = is_there(lab.host()) => there?,
    }
    let goes_down = async {
        match way {
            "rebooted" => {
                lab.host().reboot().await?;
                lab.host().mount_lab_disk().await?;
            }
            _ => {
                let loss = match way {
                    "power_cut_that_loses_nothing" => Loss::None,
                    "power_cut_that_loses_some" => Loss::Some(step.len() as u64),
                    _ => Loss::All,
                };
                lab.power_cut(loss).await?;
                lab.power_on().await?;
            }
        }
        Outcome::Ok(())
    };
    // What it says is lost with its host, and so may be its end.
    let deploy = async {
        let _ = deploy.await;
        std::future::pending::<Outcome>().await
    };
    tokio::select! {
        ended = deploy => ended?,
        down = goes_down => down?,
    }
    let host = lab.host();
    is_whole_after_a_boot(lab).await?;
    let output = lab.deploy(Deploy::of("web-v2").into("web")).await?;
    expect("the next deploy").succeeded(output)?;
    nothing_is_left(host, "nothing that outlived the host").await?;
    serves(host, "system-2-link", "web version 2").await?;
    nix_finds_nothing(host).await
}
