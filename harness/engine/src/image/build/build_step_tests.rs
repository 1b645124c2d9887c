use super::*;

fn build_step(script: &str, limit: Duration) -> (tempfile::TempDir, Result<(), String>) {
    let dir = tempfile::tempdir().expect("a folder");
    let log = Utf8PathBuf::try_from(dir.path().join("step.log")).expect("UTF-8");
    let result = BuildStep::new("the step", "sh", log.clone(), limit)
        .args(["-c", script])
        .run();
    (
        dir,
        result.map_err(|error| error.to_string().replace(log.as_str(), "<log>")),
    )
}

#[test]
fn a_stopped_step_ends_with_all_that_it_started() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = |name: &str| Utf8PathBuf::try_from(dir.path().join(name)).expect("UTF-8");
    let (pid, stop) = (path("pid"), Stop::default());
    let script = format!("sleep 1000 & echo $! > {pid}.new; mv {pid}.new {pid}; wait");
    let step = {
        let (log, stop) = (path("log"), stop.clone());
        std::thread::spawn(move || {
            let build_step = BuildStep::new("the step", "sh", log, LONG).args(["-c", &script]);
            build_step.stopped_by(&stop).run()
        })
    };
    while !pid.exists() {
        std::thread::yield_now();
    }
    stop.raise();
    let error = step.join().expect("no panic").expect_err("it was stopped");
    assert_eq!(error.to_string(), "the step was stopped");
    assert_ends(&std::fs::read_to_string(&pid).expect("a pid"));
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_failed_step_quotes_the_end_of_its_log() {
    let (_dir, result) = build_step("seq 1 30; echo 'E: no such package' >&2; exit 3", LONG);
    insta::assert_snapshot!(result.expect_err("it fails"));
}

/// Waits for the end of a process that is nobody's child here. `tail` looks for it; `timeout` is the limit.
fn assert_ends(pid: &str) {
    let pid: u32 = pid.trim().parse().expect("a pid");
    let status = Command::new("timeout")
        .args([
            "60",
            "tail",
            "-s",
            "0.02",
            "--pid",
            &pid.to_string(),
            "-f",
            "/dev/null",
        ])
        .status()
        .expect("tail runs");
    assert!(status.success(), "process {pid} lives on");
}

#[test]
fn a_step_that_hangs_is_stopped_with_its_children() {
    let (dir, result) = build_step("sleep 600 & echo $! >&2; wait", Duration::from_secs(1));
    let text = result.expect_err("it hangs");
    assert!(
        text.starts_with("the step was stopped after 1s; the end of <log>:"),
        "{text}"
    );
    let log = std::fs::read_to_string(dir.path().join("step.log")).expect("the log");
    // A very slow machine may stop it before it has a child.
    if !log.is_empty() {
        assert_ends(&log);
    }
}

#[test]
fn what_outlives_its_step_is_stopped() {
    let (dir, result) = build_step("sleep 600 & echo $!", LONG);
    result.expect("the step itself succeeds");
    assert_ends(&std::fs::read_to_string(dir.path().join("step.log")).expect("the log"));
}
