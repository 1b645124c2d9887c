//! Signals: the tool ends in order, and the host is left in a state that somebody meant.

use crate::lab::Lab;
use rstest::rstest;
use rustix::process::Signal;

#[rstest]
#[case(Signal::TERM, 143)]
#[case(Signal::INT, 130)]
#[case(Signal::HUP, 129)]
fn a_build_is_given_up_on_both_sides(#[case] signal: Signal, #[case] code: i32) {
    let lab = Lab::new();
    lab.succeed(&["web", "root@host"]);
    lab.machine("web", "web-2");
    lab.set("build-hangs");
    lab.fifo("build-began");
    lab.fifo("build-stopped");
    lab.fifo("host-finished");
    let tool = lab.start(&["web", "root@host"]);
    lab.wait_for("build-began");
    tool.signal(signal);
    lab.wait_for("build-stopped");
    let finished = tool.finish();
    assert_eq!(finished.code, Some(code), "{}", finished.stderr);
    assert!(
        finished.error().contains("during step `build`"),
        "{}",
        finished.error()
    );
    assert!(lab.nothing_left());
    assert_eq!(
        (lab.profile("web").unwrap(), lab.guest("web").unwrap()),
        ("web-1".into(), "web-1".into())
    );
}

/// A host to which no word comes any more builds to the end, and leaves profile and guest alone.
#[test]
fn what_was_built_for_a_tool_that_is_gone_is_not_switched_to() {
    let lab = Lab::new();
    lab.succeed(&["web", "root@host"]);
    lab.machine("web", "web-2");
    lab.set("network-is-cut-in-the-build");
    let finished = lab.run(&["--connect-timeout=2s", "web", "root@host"]);
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    insta::assert_snapshot!(finished.error(), @r"
    error: step `build` of container `web` on root@host failed with status 1
      | the build is done, and the deploy tool did not answer within 2 s: it or the connection is gone
    no profile and no container was changed by this step
    ");
    assert_eq!(
        (lab.profile("web").unwrap(), lab.guest("web").unwrap()),
        ("web-1".into(), "web-1".into())
    );
    lab.unset("network-is-cut-in-the-build");
    lab.succeed(&["web", "root@host"]);
    assert_eq!(lab.guest("web").unwrap(), "web-2");
}

/// Half a switch is worse than either end of it: the host goes on by itself.
#[rstest]
#[case("fine", "web-2")]
#[case("breaks-web-2", "web-1")]
fn an_activation_ends_by_itself(#[case] flag: &str, #[case] closure: &str) {
    let lab = Lab::new();
    lab.succeed(&["web", "root@host"]);
    lab.machine("web", "web-2");
    lab.set(flag);
    for name in ["reload-began", "reload-may-end", "host-finished"] {
        lab.fifo(name);
    }
    let tool = lab.start(&["web", "root@host"]);
    lab.wait_for("reload-began");
    tool.signal(Signal::TERM);
    let finished = lab.plain(tool.finish());
    assert_eq!(finished.code, Some(143));
    insta::allow_duplicates! {
        insta::assert_snapshot!(finished.error(), @r"
        error: interrupted by signal 15 during step `activate`
        the host ends this by itself: it keeps the new generation if the guest runs it, and goes back if not
        next: systemctl status systemd-nspawn@web.service on the host
        ");
    }
    assert!(lab.nothing_left());
    // The session that carries the connection, and then the one that switches.
    lab.wait_for("host-finished");
    std::fs::remove_file(lab.path("reload-began")).unwrap();
    std::fs::write(lab.path("reload-may-end"), "go\n").unwrap();
    lab.wait_for("host-finished");
    assert_eq!(
        (lab.profile("web").unwrap(), lab.guest("web").unwrap()),
        (closure.into(), closure.into())
    );
}

/// SIGKILL leaves the folder of the connection, and nothing else that lasts: the connection ends with its input, and
/// the host ends what it does.
#[test]
fn a_killed_tool_leaves_no_connection() {
    let lab = Lab::new();
    for name in ["reload-began", "reload-may-end", "host-finished"] {
        lab.fifo(name);
    }
    let tool = lab.start(&["web", "root@host"]);
    lab.wait_for("reload-began");
    tool.signal(Signal::KILL);
    // The session that carries the connection.
    lab.wait_for("host-finished");
    std::fs::write(lab.path("reload-may-end"), "go\n").unwrap();
    // The one that switches.
    lab.wait_for("host-finished");
    assert_eq!(tool.finish().code, None);
    assert_eq!(lab.guest("web").unwrap(), "web-1");
}

/// A network that is cut for good tells the host of no end of the connection. What it keeps for the deploy it keeps no longer
/// than the tool says that it is there.
#[test]
fn a_host_that_hears_nothing_of_the_tool_keeps_nothing_for_it() {
    let lab = Lab::new();
    lab.set("host-has-little-patience");
    for name in ["reload-began", "reload-may-end", "host-finished"] {
        lab.fifo(name);
    }
    let tool = lab.start(&["web", "root@host"]);
    lab.wait_for("reload-began");
    tool.signal(Signal::STOP);
    // The session that carries the connection.
    lab.wait_for("host-finished");
    assert!(lab.kept().is_empty(), "{:?}", lab.kept());
    tool.signal(Signal::KILL);
    std::fs::write(lab.path("reload-may-end"), "go\n").unwrap();
    // The one that switches.
    lab.wait_for("host-finished");
    assert_eq!(tool.finish().code, None);
    assert_eq!(lab.guest("web").unwrap(), "web-1");
}
