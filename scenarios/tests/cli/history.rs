//! `spawnlab history`: what reports come to when they are counted, and what is said of a ledger that is damaged.

use std::path::Path;

use serde_json::{Value, json};

use crate::command::{stderr, stdout};

fn history(cache: &Path, args: &[&str]) -> std::process::Output {
    assert_cmd::Command::new(env!("CARGO_BIN_EXE_spawnlab"))
        .env("SPAWNLAB_CACHE", cache)
        .env("COLUMNS", "100")
        .arg("history")
        .args(args)
        .output()
        .expect("it can be started")
}

/// The report of a run on that day of March 2026, on this kernel, in which `names::a` came to `verdict`.
fn report(folder: &Path, day: u32, kernel: &str, verdict: &Value) -> String {
    let started = format!("2026-03-{day:02}T10:00:00Z");
    let mut record = json!({
        "name": "names::a", "claim": "It is so.", "started": started, "took_ms": 1800,
        "evidence": "evidence/names/a", "again": "spawnlab run --exact names::a",
    });
    let fields = verdict.as_object().expect("an object").clone();
    record.as_object_mut().expect("an object").extend(fields);
    let run = json!({
        "version": 1, "started": started, "selected": 1, "steps": [], "records": [record], "summary": null,
        "environment": {
            "image": "debian-trixie 3f9c", "accelerator": "tcg (because)", "tool": "/x/deploy",
            "versions": { "guest": "trixie", "kernel": kernel }, "inputs": kernel,
        },
    });
    let dir = folder.join(format!("run-{day}"));
    std::fs::create_dir_all(&dir).expect("made");
    std::fs::write(dir.join("run.json"), run.to_string()).expect("written");
    dir.to_str().expect("UTF-8").to_owned()
}

#[test]
fn reports_are_counted_once_and_shown() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cache = folder.path().join("cache");
    assert_eq!(
        stdout(&history(&cache, &[])),
        "nothing is known of earlier runs\n"
    );
    let passed = json!({ "verdict": "passed" });
    let failed =
        json!({ "verdict": "timed-out", "phase": "a lease", "waited_ms": 1, "last": "nothing" });
    let reports = [
        report(folder.path(), 1, "6.12", &passed),
        report(folder.path(), 2, "6.13", &passed),
        report(folder.path(), 3, "6.13", &failed),
    ];
    let merge: Vec<&str> = ["--merge"]
        .into_iter()
        .chain(reports.iter().map(String::as_str))
        .collect();
    let output = history(&cache, &merge);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let shown = "names::a\n    debian-trixie tcg guest=trixie tool=deploy  ++x\n        \
                 1 of 3 runs failed (33 %), usually 1.8 s\n        \
                 unstable since 2026-03-03: differently on the same inputs; 1 of 100 runs the same since\n        \
                 failed since 2026-03-03, passed before\n";
    assert_eq!(stdout(&output), shown);
    let again = history(&cache, &merge);
    assert_eq!(stdout(&again), shown);
    assert!(
        stderr(&again).starts_with("merged: 0 runs; 3 were in it already"),
        "{}",
        stderr(&again)
    );
    let json = stdout(&history(&cache, &["--json", "--unstable", "names::"]));
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json[0]["failures"], 1);
    assert_eq!(json[0]["recent"][2]["verdict"], "timed-out");
    let output = history(&cache, &["cats"]);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
}

#[rstest::rstest]
#[case(&["--merge", "/nowhere"], 2, "report /nowhere: ", "--merge takes")]
#[case(&[], 3, "ledger.json: not JSON", "remove the file")]
fn what_can_not_be_read_is_one_clear_message(
    #[case] args: &[&str],
    #[case] code: i32,
    #[case] why: &str,
    #[case] step: &str,
) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cache = folder.path().join("cache");
    assert_eq!(history(&cache, &[]).status.code(), Some(0));
    std::fs::write(cache.join("ledger.json"), "{ damaged").expect("written");
    let output = history(&cache, args);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(
        said.starts_with("error: ") && said.contains(why) && said.contains(step),
        "{said}"
    );
}
