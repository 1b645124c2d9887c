//! What is refused, and that nothing has happened by then.

use crate::lab::Lab;
use rstest::rstest;

#[test]
fn an_undeclared_container_is_refused_before_the_copy() {
    let lab = Lab::new();
    lab.machine("mail", "mail-1");
    let finished = lab.run(&["mail", "root@host"]);
    assert_eq!(finished.code, Some(3));
    insta::assert_snapshot!(finished.error(), @r"
    error: container `mail` is not declared on root@host: there is no mail.nspawn in /etc/systemd/nspawn or /run/systemd/nspawn (declared there: api, web)
    next: declare `mail` in the configuration of the host, apply that, and deploy again
    ");
    assert!(!lab.log().contains(" copy "));
    assert_eq!(lab.logged("host nix"), [""; 0]);
}

/// The refusal ends an evaluation that would take its time.
#[test]
fn a_refusal_does_not_wait_for_the_evaluation() {
    let lab = Lab::new();
    lab.set("evaluate-hangs");
    assert_eq!(lab.run(&["mail", "root@host"]).code, Some(3));
}

#[test]
fn one_undeclared_container_stops_the_whole_call() {
    let lab = Lab::new();
    assert_eq!(
        lab.run(&["web", "root@host", "--also", "api=mail"]).code,
        Some(3)
    );
    assert_eq!(lab.profile("web"), None);
    assert!(!lab.log().contains(" copy "));
}

#[test]
fn a_service_without_its_drop_in_is_not_declared() {
    let lab = Lab::new();
    lab.unset("etc/systemd/system/systemd-nspawn@web.service.d/x.conf");
    let finished = lab.run(&["web", "root@host"]);
    assert_eq!(finished.code, Some(3));
    assert!(
        finished.error().contains("has no drop-in of its own"),
        "{}",
        finished.error()
    );
}

#[test]
fn a_host_without_nix_is_refused() {
    let lab = Lab::new();
    lab.set("host-has-no-nix");
    let finished = lab.run(&["web", "root@host"]);
    assert_eq!(finished.code, Some(3));
    assert!(
        finished.error().contains("has no `nix`"),
        "{}",
        finished.error()
    );
}

#[rstest]
#[case(&["a\"b", "root@host"])]
#[case(&["$(touch LAB)", "root@host"])]
#[case(&["web", "-oProxyCommand=touch x"])]
#[case(&["web", "root@host; touch x"])]
#[case(&["web", "root@host", "../../../etc"])]
#[case(&["web", "root@host", "a b"])]
#[case(&["web", "root@host", "a';touch x;'"])]
#[case(&["web", "root@host", "--also", "api=a*"])]
#[case(&["web", "root@host", "--build-timeout", "soon"])]
#[case(&["web"])]
#[case(&["web", "root@host", "x", "y"])]
fn nasty_names_are_usage_errors_and_start_nothing(#[case] arguments: &[&str]) {
    let lab = Lab::new();
    let finished = lab.run(arguments);
    assert_eq!(finished.code, Some(2), "{}", finished.stderr);
    assert_eq!(lab.log(), "");
}
