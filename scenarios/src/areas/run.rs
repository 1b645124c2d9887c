//! Commands in a container, started from the host.

use spawnlab::prelude::*;

use crate::nonce::nonce;

/// How a person runs a command in a guest and waits for it. A service manager finds only `/bin/sh` on
/// every distribution; what that finds is up to PATH.
const RUN: &str = "systemd-run --quiet --wait --collect --pipe -E PATH -M";

/// The exit status of a command in the guest is the exit status on the host.
#[scenario(on = Deployed)]
#[expects(FailedUnit("spawnlab-three.service") in "web", because = "a command that exits with 3 is what is asked for")]
#[saboteur("three-counts-as-success", fails = "exit status 3", spares = "run::streams_are_separate" =>
    in_guest("web", drop_in("spawnlab-three.service", "[Service]\nSuccessExitStatus=3")))]
async fn exit_codes_come_back(lab: &Lab) -> Outcome {
    let host = lab.host();
    let zero = host
        .execute(&format!("{RUN} web --unit=spawnlab-zero /bin/sh -c true"))
        .await?;
    expect("exit status 0").equal(zero.status, Status::Exit(0))?;
    let three = host
        .execute(&format!(
            "{RUN} web --unit=spawnlab-three /bin/sh -c 'exit 3'"
        ))
        .await?;
    expect("exit status 3").equal(three.status, Status::Exit(3))
}

/// Standard input, output and error of a command in the guest are three streams on the host.
#[scenario(on = Deployed)]
#[saboteur("output-and-error-in-one", fails = "standard output", spares = "run::exit_codes_come_back" =>
    shim("systemd-run", r#"real "$@" 2>&1"#))]
#[saboteur("no-input", fails = "standard output", spares = "run::exit_codes_come_back" =>
    shim("systemd-run", r#"real "$@" < /dev/null"#))]
async fn streams_are_separate(lab: &Lab) -> Outcome {
    let nonce = nonce();
    let script = format!(
        "echo {nonce} | {RUN} web /bin/sh -c 'read word; echo out-$word; echo err-$word >&2'"
    );
    let output = lab.host().execute(&script).await?;
    expect("standard output").equal(output.stdout, format!("out-{nonce}\n"))?;
    expect("standard error").equal(output.stderr, format!("err-{nonce}\n"))
}

/// A command that says it ran in the guest has left its mark there, and none on the host.
#[scenario(on = Deployed)]
#[saboteur("runs-on-the-host", fails = "the mark in the guest", spares = "run::exit_codes_come_back" =>
    shim("systemd-run", r#"for last; do :; done
        case $last in *spawnlab-mark*) exec sh -c "$last" ;; esac
        real "$@""#))]
#[saboteur("runs-nothing-and-exits-0", fails = "the nonce", spares = "status::host_has_no_failed_units" =>
    shim("systemd-run", "exit 0"))]
async fn command_runs_in_the_guest(lab: &Lab) -> Outcome {
    let host = lab.host();
    let nonce = nonce();
    let script = format!("{RUN} web /bin/sh -c 'echo {nonce} | tee /run/spawnlab-mark'");
    let said = host.execute(&script).await?;
    expect("the nonce").equal(
        (said.status, said.stdout.trim()),
        (Status::Exit(0), &*nonce),
    )?;
    // Past every tool that was asked to run it: by the root directory of the guest's first process.
    let marks = host
        .succeed(
            "cat /proc/$(machinectl show web -p Leader --value)/root/run/spawnlab-mark || true
             echo; ls /run/spawnlab-mark 2>/dev/null || true",
        )
        .await?;
    expect("the mark in the guest").equal(marks.trim(), nonce)
}

/// A guest that dies under a command is an error, and so is one that is dead: never a success.
#[scenario(on = Deployed)]
#[expects(
    FailedUnit("systemd-nspawn@web.service"),
    because = "the guest is killed"
)]
#[saboteur("somebody-answers-for-the-dead", fails = "the command whose guest was killed",
    spares = "names::name_is_the_leased_address" =>
    // Who ends a systemd-run that reaches for its guest for ever ends the shim, too, unless it listens.
    shim("systemd-run", r#"trap : TERM
        real "$@"; status=$?
        nonce=$(printf '%s' "$*" | grep -o 'spawnlab-[0-9]*-[0-9]*' | tail -n 1)
        [ -z "$nonce" ] || { echo "$nonce 0" >&2; exit 0; }
        exit $status"#))]
#[saboteur("exits-0-without-a-guest", fails = "a command in a dead guest",
    spares = "names::name_is_the_leased_address" =>
    shim("systemd-run", r#"real "$@" || exit 0"#))]
async fn dead_guest_is_an_error(lab: &Lab) -> Outcome {
    let host = lab.host();
    let web = host.container("web");
    // The lab's own way to run a command: here systemd-run exits with 0, or never.
    let (command, killed) = tokio::join!(web.execute("sleep 86399; echo survived"), async {
        host.wait_until_succeeds(
            "pgrep -fx 'sleep 86399'",
            std::time::Duration::from_secs(10),
        )
        .await?;
        host.succeed("systemctl kill --signal=KILL systemd-nspawn@web.service")
            .await
    });
    killed?;
    expect("the command whose guest was killed").that(
        matches!(command, Err(Error::Command(_))),
        "an error that it did not report its end",
        format_args!("{command:?}"),
    )?;
    let again = host.execute(&format!("{RUN} web /bin/sh -c true")).await?;
    expect("a command in a dead guest").refused(again).map(drop)
}

/// A container that is not there is an error which says so, at once.
#[scenario(on = Deployed)]
#[saboteur("somebody-took-the-name", fails = "a command in no container", spares = "run::exit_codes_come_back" =>
    "systemd-run --quiet --unit=decoy --slice=machine.slice sleep infinity
     leader=$(systemctl show -p MainPID --value decoy.service)
     busctl --quiet call org.freedesktop.machine1 /org/freedesktop/machine1 org.freedesktop.machine1.Manager \
         RegisterMachine sayssus nobody 0 '' container $leader ''")]
async fn unknown_container_is_an_error(lab: &Lab) -> Outcome {
    let host = lab.host();
    let ran = host
        .execute(&format!("{RUN} nobody /bin/sh -c 'echo ran'"))
        .await?;
    let said = expect("a command in no container").refused(ran)?;
    expect("what systemd-run says").contains(&said, "Failed to connect")?;
    let shell = host
        .execute("machinectl shell nobody /bin/sh -c true")
        .await?;
    let said = expect("a shell in no container").refused(shell)?;
    expect("what machinectl says").contains(&said, "nobody")
}

/// An interactive shell in the guest has a terminal, takes what is typed, and its exit status comes back.
#[scenario(on = Deployed)]
#[saboteur("no-terminals-in-the-guest", fails = "the shell ends as told", spares = "run::streams_are_separate" =>
    in_guest("web", script("mount -t tmpfs none /dev/pts")))]
#[saboteur("pipes-instead-of-a-terminal", fails = "the terminal", spares = "run::streams_are_separate" =>
    shim("systemd-run", r#"[ "$2" != -tP ] || { real "$@" | cat; exit 7; }; real "$@""#))]
async fn shell_has_a_terminal(lab: &Lab) -> Outcome {
    let nonce = nonce();
    let typed = format!("tty\necho $((40 + 2))-{nonce}\nexit 7\n");
    // script(1) is the person's terminal; typed text is echoed there, computed text is the shell's.
    let shell =
        "script -qefc 'systemd-run --quiet -tP --wait --collect -E PATH -M web /bin/sh' /dev/null";
    let script = format!("printf %s {} | timeout 60 {shell}", quote(&typed));
    let output = lab.host().execute(&script).await?;
    let screen = format!("{}{}", output.stdout, output.stderr);
    expect("the shell ends as told").that(
        output.status == Status::Exit(7),
        "exit status 7",
        format_args!("{}: {screen}", output.status),
    )?;
    expect("what the shell printed").contains(&screen, &format!("42-{nonce}"))?;
    expect("the terminal").contains(&screen, "/dev/pts/")
}

/// Without `VirtualEthernet` the guest shares the host's network: no link, no address and no name of its own.
#[scenario(on = Deployed, limit = 90)]
#[saboteur("link-of-its-own-after-all", fails = "the guest's network", spares = "run::exit_codes_come_back" =>
    edit("/etc/systemd/nspawn/hostnet.nspawn", "s/^VirtualEthernet=.*/VirtualEthernet=true/"))]
#[saboteur("name-in-hosts", fails = "no name", spares = "run::exit_codes_come_back" =>
    "/lab/tools/name-in-hosts 127.0.0.1 hostnet")]
async fn host_network_is_shared(lab: &Lab) -> Outcome {
    let host = lab.host();
    let deployed = lab.deploy(Deploy::of("bare").into("hostnet")).await?;
    expect("deploying").succeeded(deployed)?;
    let network = "readlink /proc/self/ns/net";
    let guests = host.container("hostnet").succeed(network).await?;
    expect("the guest's network").equal(guests, host.succeed(network).await?)?;
    let link = host.execute("ip link show ve-hostnet").await?;
    expect("no link").refused(link)?;
    // nss-mymachines(8) answers for containers with a network of their own only.
    let name = host.execute("getent ahosts hostnet").await?;
    expect("no name").refused(name).map(drop)
}
