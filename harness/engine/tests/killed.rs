//! When the lab is killed, nothing that it started survives.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::Duration,
};

use spawnlab::{
    util::poll::{self, Seen},
    vm::qemu::process::{Process, ProcessSpec},
};

const CHILD: &str = "SPAWNLAB_TEST_CHILD";

/// Not a test of its own: what [`no_process_survives_a_killed_lab`] kills.
#[tokio::test]
async fn the_lab_that_is_killed() {
    let Ok(log) = std::env::var(CHILD) else {
        return;
    };
    let process = Process::start(ProcessSpec {
        program: "/bin/sh".into(),
        args: vec![
            "-c".into(),
            "trap '' TERM HUP; while :; do sleep 1; done".into(),
        ],
        stdin: None,
        log: log.into(),
    })
    .expect("the process starts");
    println!("\npid {}", process.pid());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn no_process_survives_a_killed_lab() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut lab = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "the_lab_that_is_killed", "--nocapture"])
        .env(CHILD, dir.path().join("log"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("the lab starts");
    let lines = BufReader::new(lab.stdout.take().expect("piped")).lines();
    let pid = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("pid ").map(str::to_owned))
        .expect("the lab says what it started");
    let state = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    assert!(!state().is_empty(), "process {pid} runs");
    lab.kill().expect("SIGKILL");
    lab.wait().expect("reaped");
    poll::until(
        "the end of what the lab started",
        Duration::from_secs(20),
        Duration::from_millis(50),
        || async {
            let state = state();
            // A zombie is dead; whoever adopted it takes its time to look.
            Ok(if state.is_empty() || state.contains(") Z ") {
                Seen::Ready(())
            } else {
                Seen::NotYet(state)
            })
        },
    )
    .await
    .expect("it ends with the lab");
}
