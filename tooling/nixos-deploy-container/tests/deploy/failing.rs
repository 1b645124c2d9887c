//! What goes wrong: the step is named, its output is shown, and what was there before is there again.

use crate::lab::Lab;

/// A lab with `web-1` deployed and a flake that has `web-2` now.
fn lab_with_web_1() -> Lab {
    let lab = Lab::new();
    lab.succeed(&["web", "root@host"]);
    lab.machine("web", "web-2");
    lab.forget_log();
    lab
}

fn runs(lab: &Lab, closure: &str) {
    assert_eq!(lab.profile("web").as_deref(), Some(closure));
    assert_eq!(lab.guest("web").as_deref(), Some(closure));
}

#[test]
fn an_unknown_machine_fails_the_evaluation() {
    let lab = Lab::new();
    lab.declare("mail");
    let finished = lab.run(&["mail", "root@host"]);
    assert_eq!(finished.code, Some(1));
    insta::assert_snapshot!(finished.error(), @r"
    error: step `evaluate` of machine `mail` failed with status 1
      | error: attribute 'mail' missing
    no profile and no container was changed by this step
    ");
}

#[test]
fn an_evaluation_that_hangs_is_named() {
    let lab = Lab::new();
    lab.set("evaluate-hangs");
    let finished = lab.run(&["web", "root@host", "--evaluate-timeout", "1s"]);
    assert_eq!(finished.code, Some(1));
    insta::assert_snapshot!(finished.error(), @r"
    error: step `evaluate` of machine `web` timed out after 1s
      | fetching forever
    next: find out what it waited for, or give it more time with --evaluate-timeout
    no profile and no container was changed by this step
    ");
}

#[test]
fn a_host_that_refuses_the_key_is_named() {
    let lab = Lab::new();
    lab.set("ssh-refuses");
    lab.set("evaluate-hangs");
    let finished = lab.run(&["web", "root@host"]);
    assert_eq!(finished.code, Some(1));
    insta::assert_snapshot!(finished.error(), @r"
    error: step `connect` of root@host failed with status 255
      | root@host: Permission denied (publickey).
    next: make `ssh -o BatchMode=yes root@host true` work (key in the agent, host key known, host up)
    no profile and no container was changed by this step
    ");
}

#[test]
fn a_host_that_hangs_is_named() {
    let lab = Lab::new();
    lab.set("ssh-hangs");
    let finished = lab.run(&["web", "root@host", "--connect-timeout", "1s"]);
    assert_eq!(finished.code, Some(1));
    assert!(
        finished
            .error()
            .contains("step `connect` of root@host timed out after 1s"),
        "{}",
        finished.error()
    );
}

#[test]
fn a_failed_copy_is_named() {
    let lab = Lab::new();
    lab.set("copy-fails");
    let finished = lab.run(&["web", "root@host"]);
    assert_eq!(finished.code, Some(1));
    insta::assert_snapshot!(finished.error(), @r"
    error: step `copy` of root@host failed with status 1
      | error: cannot add path: lacks a signature
    no profile and no container was changed by this step
    ");
    assert_eq!(lab.logged("host nix"), [""; 0]);
}

#[test]
fn a_failed_build_leaves_profile_and_guest() {
    let lab = lab_with_web_1();
    lab.set("build-fails-web-2");
    let finished = lab.run(&["web", "root@host"]);
    assert_eq!(finished.code, Some(1));
    insta::assert_snapshot!(finished.error(), @r"
    error: step `build` of container `web` on root@host failed with status 1
      | error: builder for 'LAB/nix/store/web-2.drv^*' failed with exit code 2
    no profile and no container was changed by this step
    ");
    runs(&lab, "web-1");
    assert_eq!(lab.logged("systemctl"), [""; 0]);
}

#[test]
fn a_build_that_hangs_is_named() {
    let lab = lab_with_web_1();
    lab.set("build-hangs");
    let finished = lab.run(&["web", "root@host", "--build-timeout", "1s"]);
    assert_eq!(finished.code, Some(1));
    assert!(
        finished
            .error()
            .contains("step `build` of container `web` on root@host timed out after 1s"),
        "{}",
        finished.error()
    );
    runs(&lab, "web-1");
}

#[test]
fn a_broken_second_machine_leaves_the_first_alone() {
    let lab = lab_with_web_1();
    lab.set("build-fails-api-1");
    // The fake builds what comes last on its command line.
    let finished = lab.run(&["web", "root@host", "--also", "api"]);
    assert_eq!(finished.code, Some(1));
    assert!(
        finished
            .error()
            .contains("step `build` of root@host failed with status 1"),
        "{}",
        finished.error()
    );
    runs(&lab, "web-1");
    assert_eq!(lab.logged("systemctl"), [""; 0]);
}

#[test]
fn a_failed_reload_goes_back() {
    let lab = lab_with_web_1();
    lab.set("breaks-web-2");
    let finished = lab.run(&["web", "root@host"]);
    assert_eq!(finished.code, Some(1));
    insta::assert_snapshot!(finished.error(), @r"
    error: step `activate` of container `web` on root@host failed with status 1
      | Job for systemd-nspawn@web.service failed.
      | guest: nginx.service failed to start
    restored: profile and guest are back on system-1-link
    ");
    runs(&lab, "web-1");
    assert_eq!(lab.logged("systemctl").len(), 2, "{}", lab.log());
}

#[test]
fn a_failure_stops_before_the_next_container() {
    let lab = lab_with_web_1();
    lab.set("breaks-web-2");
    let finished = lab.run(&["web", "root@host", "--also", "api"]);
    assert_eq!(finished.code, Some(1));
    assert!(
        finished.stderr.contains("container `api` was not touched"),
        "{}",
        finished.stderr
    );
    assert_eq!(lab.profile("api"), None);
}

#[test]
fn where_a_reload_does_not_lead_back_a_restart_does() {
    let lab = lab_with_web_1();
    lab.set("breaks-web-2");
    lab.set("no-reload-to-web-1");
    let finished = lab.run(&["web", "root@host"]);
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    runs(&lab, "web-1");
    assert_eq!(
        lab.logged("systemctl restart"),
        ["systemctl restart systemd-nspawn@web.service"]
    );
}

#[test]
fn when_nothing_leads_back_the_exit_code_says_so() {
    let lab = lab_with_web_1();
    lab.set("breaks-web-2");
    lab.set("breaks-web-1");
    let finished = lab.run(&["web", "root@host"]);
    assert_eq!(finished.code, Some(4));
    assert!(
        finished.error().contains("going back failed too"),
        "{}",
        finished.error()
    );
    assert_eq!(lab.profile("web").unwrap(), "web-1");
}

#[test]
fn a_reload_that_hangs_is_ended_and_goes_back() {
    let lab = lab_with_web_1();
    lab.set("hangs-web-2");
    let finished = lab.run(&["web", "root@host", "--activate-timeout", "1s"]);
    assert_eq!(finished.code, Some(1));
    assert!(
        finished
            .error()
            .contains("step `activate` of container `web` on root@host timed out after 1s"),
        "{}",
        finished.error()
    );
    assert_eq!(lab.logged("systemctl kill").len(), 1, "{}", lab.log());
    runs(&lab, "web-1");
}

/// `systemctl reload` can say that all is well while the guest runs what it ran before.
#[test]
fn a_guest_that_runs_something_else_is_a_failure() {
    let lab = lab_with_web_1();
    lab.set("reload-does-nothing");
    let finished = lab.run(&["web", "root@host"]);
    assert_eq!(finished.code, Some(1));
    insta::assert_snapshot!(finished.error(), @r"
    error: step `verify` of container `web` on root@host failed with status 1
      | the guest runs LAB/nix/store/web-1
      | instead of     LAB/nix/store/web-2
    restored: profile and guest are back on system-1-link
    ");
    runs(&lab, "web-1");
}

/// A program that lost the guest ends with status 0 and prints nothing: that is no proof.
#[test]
fn a_guest_that_does_not_answer_is_a_failure() {
    let lab = lab_with_web_1();
    lab.set("guest-says-nothing");
    let finished = lab.run(&["web", "root@host", "--verify-timeout", "1s"]);
    assert_eq!(finished.code, Some(4));
    assert!(
        finished.error().contains("step `verify`"),
        "{}",
        finished.error()
    );
    assert!(
        finished
            .error()
            .contains("the guest did not say what it runs within 1 s"),
        "{}",
        finished.error()
    );
    assert_eq!(lab.profile("web").unwrap(), "web-1");
}

/// Limits are not the clock's, which can be set.
#[test]
fn a_clock_that_is_set_back_makes_no_limit_longer() {
    let lab = lab_with_web_1();
    lab.set("clock-goes-back");
    lab.set("guest-says-nothing");
    let finished = lab.run(&["web", "root@host", "--verify-timeout", "1s"]);
    assert_eq!(finished.code, Some(4), "{}", finished.stderr);
    assert_eq!(lab.profile("web").unwrap(), "web-1");
}

/// A disk that is full when the guest is switched: the new generation can't be activated, and the old one takes room to start, too.
#[test]
fn a_disk_that_is_full_at_the_switch_has_room_for_the_way_back() {
    let lab = lab_with_web_1();
    lab.set("disk-full");
    let finished = lab.run(&["web", "root@host"]);
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert!(
        finished
            .error()
            .ends_with("restored: profile and guest are back on system-1-link"),
        "{}",
        finished.error()
    );
    runs(&lab, "web-1");
    assert!(lab.nothing_left());
}

#[test]
fn without_room_for_the_way_back_nothing_is_begun() {
    let lab = lab_with_web_1();
    // Neither fallocate nor a redirection makes a file of a folder.
    lab.put(
        "nix/var/nix/profiles/per-container/web/.room/in-the-way",
        "",
    );
    lab.forget_log();
    let finished = lab.run(&["web", "root@host"]);
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert!(
        finished
            .error()
            .contains("the way back from a switch that fails takes 16777216 bytes on the disk"),
        "{}",
        finished.error()
    );
    assert_eq!(lab.logged("host nix"), [""; 0]);
    runs(&lab, "web-1");
}

#[test]
fn a_failed_first_deploy_leaves_nothing_behind() {
    let lab = Lab::new();
    lab.set("breaks-web-1");
    let finished = lab.run(&["web", "root@host"]);
    assert_eq!(finished.code, Some(1));
    assert!(
        finished
            .error()
            .ends_with("there is no earlier generation to go back to"),
        "{}",
        finished.error()
    );
    assert_eq!((lab.profile("web"), lab.guest("web")), (None, None));
    assert_eq!(lab.logged("systemctl stop").len(), 1);
}

#[test]
fn a_container_that_was_stopped_is_stopped_again() {
    let lab = lab_with_web_1();
    lab.unset("guests/web/active");
    lab.set("breaks-web-2");
    let finished = lab.run(&["web", "root@host"]);
    assert_eq!(finished.code, Some(1));
    assert!(
        finished
            .error()
            .contains("the container is stopped, as it was"),
        "{}",
        finished.error()
    );
    assert_eq!(
        (lab.profile("web").as_deref(), lab.guest("web")),
        (Some("web-1"), None)
    );
}

/// The profile was ahead of the guest: what ran must run again, and what was staged must stay staged.
#[test]
fn going_back_means_what_ran_and_not_what_was_staged() {
    let lab = lab_with_web_1();
    lab.succeed(&["web", "root@host", "--no-activate"]);
    lab.machine("web", "web-3");
    lab.set("breaks-web-3");
    let finished = lab.run(&["web", "root@host"]);
    assert_eq!(finished.code, Some(1));
    assert_eq!(lab.guest("web").unwrap(), "web-1");
    assert_eq!(lab.profile("web").unwrap(), "web-2");
}

/// Otherwise the next rollback would lead to it.
#[test]
fn a_generation_that_does_not_work_is_forgotten() {
    let lab = lab_with_web_1();
    lab.set("breaks-web-2");
    assert_eq!(lab.run(&["web", "root@host"]).code, Some(1));
    lab.machine("web", "web-3");
    lab.succeed(&["web", "root@host"]);
    lab.succeed(&["--rollback", "web", "root@host"]);
    runs(&lab, "web-1");
}

#[test]
fn a_rollback_without_an_older_generation_fails() {
    let lab = lab_with_web_1();
    let finished = lab.run(&["--rollback", "web", "root@host"]);
    assert_eq!(finished.code, Some(1));
    insta::assert_snapshot!(finished.error(), @r"
    error: step `rollback` of container `web` on root@host failed with status 1
      | there is no generation before system-1-link
    no profile and no container was changed by this step
    ");
    runs(&lab, "web-1");
}

#[test]
fn a_broken_rollback_goes_forward_again() {
    let lab = lab_with_web_1();
    lab.succeed(&["web", "root@host"]);
    lab.set("breaks-web-1");
    assert_eq!(lab.run(&["--rollback", "web", "root@host"]).code, Some(1));
    runs(&lab, "web-2");
}

#[test]
fn two_deploys_of_one_container_do_not_mix() {
    let lab = lab_with_web_1();
    lab.fifo("reload-began");
    lab.fifo("reload-may-end");
    let first = lab.start(&["web", "root@host"]);
    lab.wait_for("reload-began");
    let second = lab.start(&["web", "root@host"]).finish();
    assert_eq!(second.code, Some(1));
    let said = second.error();
    let by = said
        .split_once("another deploy of this container is under way: ")
        .unwrap_or_else(|| panic!("{said}"))
        .1;
    let process = format!(", process {} there, as ", first.pid());
    assert!(by.contains('@') && by.contains(&process), "{said}");
    assert!(
        by.contains(" here, since 20") && by.contains(" UTC\n"),
        "{said}"
    );
    std::fs::write(lab.path("reload-may-end"), "go\n").unwrap();
    assert_eq!(first.finish().code, Some(0));
    runs(&lab, "web-2");
}
