//! What users have in their ssh configuration, their checkouts and on their hosts, by the reports of it.

use crate::lab::Lab;
use rstest::rstest;
use std::time::{Duration, Instant};

/// <https://github.com/NixOS/nix/issues/7508>, <https://github.com/numtide/system-manager/issues/341>: a host that
/// has Nix outside of the PATH that a command over ssh gets.
#[test]
fn a_daemon_outside_of_the_path_is_named_to_nix() {
    let lab = Lab::new();
    lab.set("nix-is-elsewhere");
    lab.succeed(&["web", "root@host"]);
    let copies = lab.logged("nix --extra-experimental-features nix-command flakes copy");
    assert_eq!(copies.len(), 1, "{copies:?}");
    assert!(
        copies[0].contains(" ssh-ng://root@host?remote-program=LAB/host/nix-daemon "),
        "{copies:?}"
    );
}

#[test]
fn a_host_without_the_daemon_is_refused_before_the_copy() {
    let lab = Lab::new();
    lab.set("host-has-no-daemon");
    let finished = lab.run(&["web", "root@host"]);
    assert_eq!(finished.code, Some(3));
    insta::assert_snapshot!(finished.error(), @r"
    error: root@host has `nix`, and no `nix-daemon`, which a copy is received by
    next: install the whole of Nix there
    ");
    assert!(!lab.log().contains(" copy "));
}

/// <https://github.com/NixOS/nixpkgs/issues/365225>, <https://github.com/NixOS/nix/issues/1970>: a collection on the
/// host between copy and build.
#[rstest]
#[case(&["web", "root@host"])]
#[case(&["web", "root@host", "--also", "api"])]
#[case(&["web", "root@host", "--no-activate"])]
fn garbage_that_is_collected_on_the_way_is_not_what_was_copied(#[case] arguments: &[&str]) {
    let lab = Lab::new();
    lab.set("collects-garbage");
    lab.succeed(arguments);
    assert_eq!(lab.profile("web").unwrap(), "web-1");
    // The host's session ends by itself when the tool has.
    let deadline = Instant::now() + Duration::from_secs(10);
    while !lab.kept().is_empty() {
        assert!(Instant::now() < deadline, "{:?}", lab.kept());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A deploy whose host went down leaves its link behind; the next one takes it away.
#[test]
fn a_link_that_was_left_behind_does_not_stay() {
    let lab = Lab::new();
    let left = lab.path("nix/var/nix/profiles/per-container/web/.deploying-gone");
    std::os::unix::fs::symlink("/nix/store/old.drv", &left).unwrap();
    let touched = std::process::Command::new("touch")
        .args(["--no-dereference", "--date=3 days ago"])
        .arg(&left)
        .status();
    assert!(touched.unwrap().success());
    lab.succeed(&["web", "root@host"]);
    assert!(!lab.kept().contains(&left));
}

/// <https://github.com/NixOS/nixpkgs/issues/282856>, <https://github.com/NixOS/nixpkgs/issues/403269>: a terminal
/// that the user asks for.
#[rstest]
#[case("-o RequestTTY=force")]
#[case("-tt")]
#[case("-t -p 2222")]
fn a_terminal_is_not_what_a_deploy_gets(#[case] options: &str) {
    let lab = Lab::new();
    let finished = lab.plain(lab.start_with(&["web", "root@host"], options).finish());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(
        finished.stdout,
        "web: runs LAB/nix/store/web-1 (system-1-link)\n"
    );
}

/// Of the same kind: a flag that leaves no session at all.
#[test]
fn a_flag_in_the_way_is_a_usage_error() {
    let lab = Lab::new();
    let finished = lab.start_with(&["web", "root@host"], "-N -p 22").finish();
    assert_eq!(finished.code, Some(2));
    insta::assert_snapshot!(finished.stderr.trim(), @"error: NIX_SSHOPTS holds `-N`, with which ssh can't be used for a deploy: leave it out");
    assert_eq!(lab.log(), "");
}

/// <https://github.com/NixOS/nixpkgs/issues/538973>: neither the tool's sessions nor those of Nix ask for the forwards
/// of the user's configuration, nor run its local commands.
#[test]
fn no_session_asks_for_forwards() {
    let lab = Lab::new();
    lab.succeed(&["web", "root@host"]);
    let sessions = lab.logged("ssh ");
    let all = sessions.iter().chain(&lab.logged("NIX_SSHOPTS")).count();
    let lines: Vec<_> = sessions
        .iter()
        .cloned()
        .chain(lab.logged("NIX_SSHOPTS"))
        .collect();
    let with = |option: &str| lines.iter().filter(|line| line.contains(option)).count();
    assert_eq!((with("ClearAllForwardings=yes"), all), (3, 3), "{lines:?}");
    // Nix has a local command of its own.
    assert_eq!(with("PermitLocalCommand=no"), 2, "{lines:?}");
}

/// <https://github.com/NixOS/nix/issues/6636>, <https://github.com/NixOS/nix/issues/10202>: in the words of Nix 2.26,
/// and of git, which older ones call.
#[rstest]
#[case(
    "error: opening Git repository \"/srv/f\": repository path '/srv/f' is not owned by current user\n"
)]
#[case(
    "fatal: detected dubious ownership in repository at '/srv/f'\nTo add an exception for this directory, call:\n"
)]
#[case("fatal: unsafe repository ('/srv/f' is owned by someone else)\n")]
fn a_flake_of_another_user_is_explained(#[case] said: &str) {
    let lab = Lab::new();
    lab.put("flake-of-another", said);
    let finished = lab.run(&["web", "root@host"]);
    assert_eq!(finished.code, Some(1));
    let next = "next: deploy as the user who owns the flake, or trust that user's files: git config --global --add \
        safe.directory /srv/f\n";
    assert!(finished.error().contains(next), "{}", finished.error());
}

#[test]
fn an_ssh_that_does_not_know_newer_options_is_asked_without() {
    let lab = Lab::new();
    lab.set("ssh-is-old");
    lab.succeed(&["web", "root@host"]);
    let with = |lines: Vec<String>| {
        let all = lines.iter();
        all.filter(|line| line.contains("SessionType")).count()
    };
    assert_eq!(with(lab.logged("ssh ")), 1);
    assert_eq!(with(lab.logged("NIX_SSHOPTS")), 0);
}

/// `MaxSessions 1` in the host's sshd: Nix takes the shared connection for open, and misreads one that is opened for it.
#[test]
fn a_host_that_allows_one_session_for_a_connection_gets_another() {
    let lab = Lab::new();
    lab.set("one-session");
    let finished = lab.succeed(&["web", "root@host"]);
    assert!(
        finished
            .stderr
            .contains("this host allows one session for a connection"),
        "{}",
        finished.stderr
    );
    let options = lab.logged("NIX_SSHOPTS");
    assert_eq!(options.len(), 2, "{options:?}");
    assert!(options[1].contains("ControlPath=none"), "{options:?}");
}

/// A shell's own files may print something, and may not end the line.
#[test]
fn a_host_that_greets_everybody_is_understood() {
    let lab = Lab::new();
    lab.set("shell-greets");
    lab.succeed(&["web", "root@host"]);
    lab.machine("web", "web-2");
    lab.set("breaks-web-2");
    let finished = lab.run(&["web", "root@host"]);
    assert!(
        finished
            .error()
            .ends_with("restored: profile and guest are back on system-1-link"),
        "{}",
        finished.error()
    );
}

/// A restricted account speaks on standard output.
#[test]
fn what_a_host_says_instead_of_answering_is_shown() {
    let lab = Lab::new();
    lab.set("no-account");
    let finished = lab.run(&["web", "root@host"]);
    assert_eq!(finished.code, Some(1));
    insta::assert_snapshot!(finished.error(), @r"
    error: step `connect` of root@host failed with status 1
      | This account is currently not available.
    next: make `ssh -o BatchMode=yes root@host true` work (key in the agent, host key known, host up)
    no profile and no container was changed by this step
    ");
}
