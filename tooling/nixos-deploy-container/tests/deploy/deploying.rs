//! What works, and what it does on the way.

use crate::lab::Lab;
use rstest::rstest;

#[test]
fn a_first_deploy_builds_starts_and_asks_the_guest() {
    let lab = Lab::new();
    let finished = lab.succeed(&["web", "root@host"]);
    assert_eq!(
        finished.stdout,
        "web: runs LAB/nix/store/web-1 (system-1-link)\n"
    );
    assert_eq!(lab.profile("web").unwrap(), "web-1");
    assert_eq!(lab.guest("web").unwrap(), "web-1");
    let done: Vec<_> = lab
        .log()
        .lines()
        .filter(|line| {
            !["ssh", "NIX", "sync"]
                .iter()
                .any(|start| line.starts_with(start))
        })
        .map(str::to_owned)
        .collect();
    insta::assert_snapshot!(sorted_start(done), @r#"
    folder 700
    nix --extra-experimental-features nix-command flakes path-info --derivation .#nixosConfigurations."web".config.system.build.toplevel --show-trace
    nix --extra-experimental-features nix-command flakes copy --derivation --to ssh-ng://root@host LAB/nix/store/web-1.drv^*
    host nix --extra-experimental-features nix-command flakes build --out-link LAB/nix/var/nix/profiles/per-container/web/.next LAB/nix/store/web-1.drv^*
    systemctl reload-or-restart systemd-nspawn@web.service
    ask systemd-run web
    "#);
}

/// Connecting and the first evaluation go on at the same time.
fn sorted_start(mut lines: Vec<String>) -> String {
    lines[..2].sort_by_key(|line| line.len());
    lines.join("\n")
}

#[test]
fn one_connection_serves_all_and_is_private() {
    let lab = Lab::new();
    lab.succeed(&["web", "root@host"]);
    let ssh = lab.logged("ssh ");
    assert_eq!(ssh.len(), 2, "{ssh:?}");
    assert_eq!(
        ssh.iter()
            .filter(|line| line.contains("ControlMaster=yes"))
            .count(),
        1
    );
    assert!(
        ssh.iter()
            .all(|line| line.contains("BatchMode=yes") && line.contains("ConnectTimeout=30"))
    );
    let socket = |line: &str| {
        line.split_whitespace()
            .find(|word| word.starts_with("ControlPath="))
            .unwrap()
            .to_owned()
    };
    assert_eq!(socket(&ssh[0]), socket(&ssh[1]));
    assert_eq!(socket(&lab.logged("NIX_SSHOPTS")[0]), socket(&ssh[0]));
}

#[test]
fn a_second_deploy_reloads() {
    let lab = Lab::new();
    lab.succeed(&["web", "root@host"]);
    lab.machine("web", "web-2");
    let finished = lab.succeed(&["web", "root@host"]);
    assert_eq!(
        finished.stdout,
        "web: runs LAB/nix/store/web-2 (system-2-link)\n"
    );
    assert_eq!(lab.guest("web").unwrap(), "web-2");
}

#[test]
fn the_same_closure_again_changes_nothing() {
    let lab = Lab::new();
    lab.succeed(&["web", "root@host"]);
    lab.forget_log();
    let finished = lab.succeed(&["web", "root@host"]);
    assert_eq!(
        finished.stdout,
        "web: unchanged, runs LAB/nix/store/web-1 (system-1-link)\n"
    );
    assert_eq!(lab.logged("systemctl"), [""; 0]);
    assert_eq!(lab.logged("ask"), ["ask systemd-run web"]);
}

#[test]
fn the_same_closure_is_activated_where_the_guest_runs_another() {
    let lab = Lab::new();
    lab.succeed(&["web", "root@host"]);
    lab.machine("web", "web-2");
    lab.succeed(&["web", "root@host"]);
    lab.guest_goes_to("web", "web-1");
    lab.succeed(&["web", "root@host"]);
    assert_eq!(lab.guest("web").unwrap(), "web-2");
}

#[test]
fn the_same_closure_starts_a_container_that_is_stopped() {
    let lab = Lab::new();
    lab.succeed(&["web", "root@host"]);
    lab.unset("guests/web/active");
    let finished = lab.succeed(&["web", "root@host"]);
    assert_eq!(
        finished.stdout,
        "web: runs LAB/nix/store/web-1 (system-1-link)\n"
    );
    assert_eq!(lab.guest("web").unwrap(), "web-1");
}

#[test]
fn the_container_may_have_another_name() {
    let lab = Lab::new();
    lab.declare("web-prod");
    lab.succeed(&["-v", "web", "root@host", "web-prod"]);
    assert_eq!(lab.guest("web-prod").unwrap(), "web-1");
    assert_eq!(lab.profile("web"), None);
}

#[test]
fn verbose_shows_commands_and_makes_nix_talk() {
    let lab = Lab::new();
    let finished = lab.succeed(&["-v", "web", "root@host"]);
    assert!(
        finished.stderr.contains("+ ssh -o ControlMaster=yes"),
        "{}",
        finished.stderr
    );
    assert!(
        lab.logged("nix")
            .iter()
            .any(|line| line.contains(" path-info ") && line.ends_with("--verbose -L"))
    );
    assert!(lab.logged("host nix")[0].contains("build --verbose -L --out-link"));
}

#[test]
fn several_containers_are_copied_once() {
    let lab = Lab::new();
    lab.declare("web-2nd");
    let finished = lab.succeed(&["web", "root@host", "--also", "api", "--also", "web=web-2nd"]);
    assert_eq!(finished.stdout.lines().count(), 3);
    for (container, closure) in [("web", "web-1"), ("api", "api-1"), ("web-2nd", "web-1")] {
        assert_eq!(lab.guest(container).unwrap(), closure);
    }
    let nix = lab.logged("nix ");
    assert_eq!(
        nix.iter()
            .filter(|line| line.contains(" path-info "))
            .count(),
        2
    );
    let copies: Vec<_> = nix.iter().filter(|line| line.contains(" copy ")).collect();
    assert_eq!(copies.len(), 1);
    assert!(
        copies[0].ends_with("LAB/nix/store/web-1.drv^* LAB/nix/store/api-1.drv^*"),
        "{copies:?}"
    );
    let first_build = &lab.logged("host nix")[0];
    assert!(
        first_build.contains("--no-link")
            && first_build.ends_with("web-1.drv^* LAB/nix/store/api-1.drv^*")
    );
}

#[test]
fn staging_sets_the_profile_and_leaves_the_guest() {
    let lab = Lab::new();
    lab.succeed(&["web", "root@host"]);
    lab.machine("web", "web-2");
    lab.forget_log();
    let finished = lab.succeed(&["web", "root@host", "--no-activate"]);
    assert_eq!(
        finished.stdout,
        "web: set to LAB/nix/store/web-2 (system-2-link), not activated\n"
    );
    assert_eq!(lab.profile("web").unwrap(), "web-2");
    assert_eq!(lab.guest("web").unwrap(), "web-1");
    assert_eq!(lab.logged("systemctl"), [""; 0]);
}

#[test]
fn rolling_back_goes_one_generation_back() {
    let lab = Lab::new();
    for closure in ["web-1", "web-2", "web-3"] {
        lab.machine("web", closure);
        lab.succeed(&["web", "root@host"]);
    }
    lab.forget_log();
    let finished = lab.succeed(&["--rollback", "web", "root@host"]);
    assert_eq!(
        finished.stdout,
        "web: runs LAB/nix/store/web-2 (system-2-link)\n"
    );
    assert_eq!(
        (lab.profile("web").unwrap(), lab.guest("web").unwrap()),
        ("web-2".into(), "web-2".into())
    );
    assert_eq!(lab.logged("nix "), [""; 0]);
    lab.succeed(&["--rollback", "web", "root@host"]);
    assert_eq!(lab.guest("web").unwrap(), "web-1");
}

#[test]
fn a_dry_run_changes_nothing() {
    let lab = Lab::new();
    lab.succeed(&["web", "root@host"]);
    lab.machine("web", "web-2");
    lab.forget_log();
    let finished = lab.succeed(&["web", "root@host", "--also", "api", "--dry-run"]);
    insta::assert_snapshot!(finished.stdout, @r"
    web: active, profile on LAB/nix/store/web-1 (system-1-link)
      would copy LAB/nix/store/web-2.drv to ssh-ng://root@host
      would build LAB/nix/store/web-2 there, as the next generation
      would make sure that the guest runs it, by reloading systemd-nspawn@web.service if it does not
    api: inactive, profile on nothing (no generation)
      would copy LAB/nix/store/api-1.drv to ssh-ng://root@host
      would build LAB/nix/store/api-1 there, as the next generation
      would start systemd-nspawn@api.service
    ");
    assert_eq!(lab.logged("host nix"), [""; 0]);
    assert_eq!(lab.logged("systemctl"), [""; 0]);
    assert!(!lab.log().contains(" copy "));
    assert_eq!(
        (lab.profile("web").unwrap(), lab.profile("api")),
        ("web-1".into(), None)
    );
}

#[test]
fn a_deploy_group_user_asks_through_machinectl() {
    let lab = Lab::new();
    lab.put("uid", "1000");
    lab.succeed(&["web", "dev@host"]);
    assert_eq!(lab.logged("ask"), ["ask machinectl web"]);
    assert_eq!(lab.guest("web").unwrap(), "web-1");
}

#[rstest]
#[case("2.26.3", "2.8.0", "web-1.drv^*", "web-1.drv")]
#[case("2.8.0", "2.26.3", "web-1.drv", "web-1.drv^*")]
fn an_older_nix_gets_the_older_form(
    #[case] here: &str,
    #[case] there: &str,
    #[case] copied: &str,
    #[case] built: &str,
) {
    let lab = Lab::new();
    lab.put("local-nix-version", &format!("nix (Nix) {here}\n"));
    lab.put("host-nix-version", &format!("nix (Nix) {there}\n"));
    lab.succeed(&["web", "root@host"]);
    assert!(
        lab.logged("nix ")
            .iter()
            .any(|line| line.contains(" copy ") && line.ends_with(copied))
    );
    assert!(lab.logged("host nix").last().unwrap().ends_with(built));
}

#[rstest]
#[case("sh")]
#[case("bash --posix")]
#[case("busybox sh")]
fn the_host_may_have_any_posix_shell(#[case] shell: &str) {
    let program = shell.split(' ').next().unwrap();
    if std::process::Command::new(program)
        .arg("--help")
        .output()
        .is_err()
    {
        return;
    }
    let mut lab = Lab::new();
    lab.shell(shell);
    lab.succeed(&["web", "root@host"]);
    lab.set("breaks-web-2");
    lab.machine("web", "web-2");
    assert_eq!(lab.run(&["web", "root@host"]).code, Some(1));
    assert_eq!(lab.guest("web").unwrap(), "web-1");
}
