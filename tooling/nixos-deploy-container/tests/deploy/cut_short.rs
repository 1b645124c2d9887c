//! What is on disk when, and what a deploy does on a host that went down in the middle of another.

use crate::lab::Lab;
use rstest::rstest;
use std::os::unix::fs::symlink;

/// A host that went down in the middle of a deploy, after which `came` and `whole` are in the store, and registered.
fn lab_after_a_power_cut() -> Lab {
    let lab = Lab::new();
    lab.put(&path("came-before/file"), "");
    let link = lab.path("nix/var/nix/profiles/per-container/web/.deploying-boot-0-1234");
    symlink("/nix/store/lost.drv", &link).unwrap();
    // A change of status is told from the link's in ticks of the kernel's clock.
    let made = std::fs::symlink_metadata(&link)
        .unwrap()
        .modified()
        .unwrap();
    let at_most = std::time::Instant::now() + std::time::Duration::from_secs(5);
    loop {
        lab.put(&path("came/file"), "");
        lab.put(&path("whole/whole"), "");
        let changed = std::fs::metadata(lab.path(&path("came")))
            .unwrap()
            .modified()
            .unwrap();
        if changed > made {
            break;
        }
        assert!(std::time::Instant::now() < at_most, "the clock stands");
        std::fs::remove_dir_all(lab.path(&path("came"))).unwrap();
        std::fs::remove_dir_all(lab.path(&path("whole"))).unwrap();
    }
    lab
}

fn path(name: &str) -> String {
    format!("nix/store/0123456789abcdfghijklmnpqrsvwxyz-{name}")
}

fn cut_short(lab: &Lab) -> usize {
    lab.kept()
        .iter()
        .filter(|link| link.to_string_lossy().contains("boot-0"))
        .count()
}

#[test]
fn the_profile_moves_between_two_flushes_and_the_guest_after_them() {
    let lab = Lab::new();
    lab.succeed(&["web", "root@host"]);
    lab.machine("web", "web-2");
    lab.forget_log();
    lab.succeed(&["web", "root@host"]);
    let order: Vec<_> = lab
        .log()
        .lines()
        .filter(|line| {
            ["sync", "systemctl", "host nix"]
                .iter()
                .any(|start| line.starts_with(start))
        })
        .map(str::to_owned)
        .collect();
    insta::assert_snapshot!(order.join("\n"), @r"
    sync -f LAB/nix/var/nix/profiles/per-container/web (profile: system-1-link)
    host nix --extra-experimental-features nix-command flakes build --out-link LAB/nix/var/nix/profiles/per-container/web/.next LAB/nix/store/web-2.drv^*
    sync -f LAB/nix/store LAB/nix/var/nix/db (profile: system-1-link)
    sync -f LAB/nix/var/nix/profiles/per-container/web (profile: system-2-link)
    systemctl reload-or-restart systemd-nspawn@web.service
    ");
}

#[test]
fn a_rollback_is_on_disk_before_the_guest_is_switched() {
    let lab = Lab::new();
    lab.succeed(&["web", "root@host"]);
    lab.machine("web", "web-2");
    lab.succeed(&["web", "root@host"]);
    lab.forget_log();
    lab.succeed(&["--rollback", "web", "root@host"]);
    let syncs = lab.logged("sync");
    assert_eq!(syncs.len(), 2, "{syncs:?}");
    assert!(syncs[0].ends_with("(profile: system-2-link)"), "{syncs:?}");
    assert!(syncs[1].ends_with("(profile: system-1-link)"), "{syncs:?}");
}

/// A disk that does not take the closure, and one that does not take the link.
#[rstest]
#[case("disk-fails-store")]
#[case("disk-fails-db")]
fn what_is_not_on_disk_is_not_deployed(#[case] flag: &str) {
    let lab = Lab::new();
    lab.succeed(&["web", "root@host"]);
    lab.machine("web", "web-2");
    lab.set(flag);
    lab.forget_log();
    let finished = lab.run(&["web", "root@host"]);
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert!(
        finished.error().contains("step `flush` of container `web`")
            && finished.error().contains("Input/output error"),
        "{}",
        finished.error()
    );
    assert_eq!(lab.profile("web").unwrap(), "web-1");
    assert_eq!(lab.logged("systemctl"), [""; 0]);
    let folder = lab.path("nix/var/nix/profiles/per-container/web");
    let names = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with(".deploying-"))
        .collect();
    names.sort();
    assert_eq!(names, ["system", "system-1-link"]);
}

#[test]
fn what_a_power_cut_left_half_is_removed_before_anything_is_copied() {
    let lab = lab_after_a_power_cut();
    let finished = lab.succeed(&["web", "root@host"]);
    assert!(
        finished
            .stderr
            .contains("not whole: LAB/nix/store/0123456789abcdfghijklmnpqrsvwxyz-came\n"),
        "{}",
        finished.stderr
    );
    assert!(!lab.path(&path("came")).exists());
    assert!(lab.path(&path("whole")).exists() && lab.path(&path("came-before")).exists());
    assert_eq!(cut_short(&lab), 0);
    let log = lab.log();
    assert!(log.find("--delete") < log.find(" copy "), "{log}");
    // Nobody looks a second time.
    lab.forget_log();
    lab.succeed(&["web", "root@host"]);
    assert_eq!(lab.logged("host nix-store"), [""; 0]);
}

/// Nix deletes nothing that something else needs, unless both are named.
#[test]
fn what_needs_something_that_is_not_whole_is_removed_with_it() {
    let lab = lab_after_a_power_cut();
    lab.set("whole-needs-came");
    lab.succeed(&["web", "root@host"]);
    assert!(!lab.path(&path("came")).exists() && !lab.path(&path("whole")).exists());
    assert!(lab.path(&path("came-before")).exists());
    assert_eq!(lab.log().matches("--repair-path").count(), 0);
    assert_eq!(cut_short(&lab), 0);
}

#[test]
fn what_is_in_use_is_repaired_in_place() {
    let lab = lab_after_a_power_cut();
    lab.set("in-use");
    lab.succeed(&["web", "root@host"]);
    assert!(lab.path(&path("came/whole")).exists());
    assert_eq!(cut_short(&lab), 0);
}

#[test]
fn what_can_not_be_mended_is_named_and_nothing_is_deployed() {
    let lab = lab_after_a_power_cut();
    lab.set("in-use");
    lab.set("can-not-be-repaired");
    let finished = lab.run(&["web", "root@host"]);
    assert_eq!(finished.code, Some(1));
    insta::assert_snapshot!(finished.error(), @r"
    error: step `recover` of root@host failed with status 1
      | this host went down during a deploy: comparing the 2 paths that were registered since
      | not whole: LAB/nix/store/0123456789abcdfghijklmnpqrsvwxyz-came
      | error: you are not privileged to repair paths
      | error: Cannot delete path 'LAB/nix/store/0123456789abcdfghijklmnpqrsvwxyz-came' since it is still alive.
      | in use by: LAB/nix/var/nix/gcroots/by-hand -> LAB/nix/store/0123456789abcdfghijklmnpqrsvwxyz-came
      | path 'LAB/nix/store/0123456789abcdfghijklmnpqrsvwxyz-came' was modified! expected hash 'sha256:1', got 'sha256:2'
    next: remove what is named as using it, or as root on the host: nix-store --verify --check-contents --repair
    no profile and no container was changed by this step
    ");
    assert_eq!(lab.profile("web"), None);
    assert!(!lab.log().contains(" copy "));
    // The next deploy looks again.
    assert_eq!(cut_short(&lab), 1);
}

#[test]
fn a_deploy_of_this_boot_is_not_taken_for_one_that_was_cut_short() {
    let lab = Lab::new();
    let link = lab.path("nix/var/nix/profiles/per-container/api/.deploying-boot-1-1234");
    symlink("/nix/store/other.drv", &link).unwrap();
    lab.succeed(&["web", "root@host"]);
    assert_eq!(lab.logged("host nix-store"), [""; 0]);
    assert!(link.is_symlink());
}
