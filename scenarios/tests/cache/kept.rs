//! The host of a scenario that failed, looked at later.

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

use libtest_mimic::Completion;

use crate::{
    lab::{Cache, Lab, ends_with, text},
    running::Running,
};

/// Fails with a tool that deploys nothing.
const FAILS: &str = "deploy::first_deploy_starts_the_container";

pub(crate) fn resumed(lab: &Lab) -> Completion {
    let cache = lab.host();
    let tool = lab.folder("tool").join("deploys-nothing");
    fs::write(&tool, "#!/bin/sh\ntouch /run/the-tool-was-here\nexit 7\n").expect("writable");
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).expect("executable");
    let mut run = cache.run_to_keep(FAILS);
    run.arg("--tool").arg(&tool);
    let seen = Running::start(run).ends_with(1);
    let said = |line: &String| line.contains("the host is kept as it was then");
    assert!(seen.iter().any(said), "{seen:#?}");

    let listed = ends_with(cache.spawnlab(&["resume"]), 0);
    assert!(text(&listed.stdout).contains("/deploy/first_deploy_starts_the_container"));
    let wanted = format!("latest/{FAILS}");
    // As often as one likes: what is done to it is not kept.
    for _ in 0..2 {
        let script = "ls -1 /run; cat /run/spawnlab-layer; touch /run/somebody-looked\nexit\n";
        let said = typed(cache.spawnlab(&["resume", &wanted]), script);
        assert!(said.contains("spawnlab-layer"), "{said}");
        let looked = said.lines().any(|line| line.trim() == "somebody-looked");
        assert!(!looked, "{said}");
    }
    cache.nothing_runs();
    Completion::Completed
}

/// What `command` prints, which has to end well, with `script` typed into it.
fn typed(mut command: Command, script: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("it can be started");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(script.as_bytes()).expect("written");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let said = text(&output.stdout).replace('\r', "");
    assert!(output.status.success(), "{}: {said}", output.status);
    said
}

pub(crate) fn without_layer(lab: &Lab) -> Completion {
    let cache = lab.host();
    let wanted = format!("latest/{FAILS}");
    refused(
        &cache,
        &["layers", "clean", "--all"],
        &wanted,
        "can't be resumed",
    );
    // And one that is not kept any more.
    fs::remove_dir_all(cache.dir().join("kept")).expect("removed");
    refused(&cache, &["layers"], &wanted, "removed to make room");
    let none = ends_with(cache.spawnlab(&["resume", "latest/no::such"]), 4);
    assert!(text(&none.stderr).contains("neither an evidence folder"));
    Completion::Completed
}

/// After `before`, `wanted` is refused with `why` and with the command that makes it anew.
fn refused(cache: &Cache, before: &[&str], wanted: &str, why: &str) {
    ends_with(cache.spawnlab(before), 0);
    let refused = ends_with(cache.spawnlab(&["resume", wanted]), 3);
    let said = text(&refused.stderr);
    assert!(said.contains(why), "{said}");
    let again = said.lines().find(|line| line.starts_with("hint: "));
    let again = again.unwrap_or_else(|| panic!("no hint: {said}"));
    assert!(
        again.contains("--tool") && again.ends_with("--keep"),
        "{again}"
    );
}
