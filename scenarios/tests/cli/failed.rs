//! `--failed`: what of an earlier report is run again, and what is said where nothing is.

use std::path::Path;

use serde_json::{Value, json};

use crate::command::{spawnlab, stderr, stdout};

const FIRST: &str = "names::name_is_the_leased_address";
const SECOND: &str = "networking::lease_comes_from_the_host";

fn record(name: &str, verdict: &Value) -> Value {
    let mut record = json!({
        "name": name, "claim": "It is so.", "took_ms": 1, "evidence": "evidence/a/b",
        "again": format!("spawnlab qualify --case image=sid --exact --scenario {name}"),
    });
    let fields = verdict.as_object().expect("an object").clone();
    record.as_object_mut().expect("an object").extend(fields);
    record
}

fn timed_out() -> Value {
    json!({ "verdict": "timed-out", "phase": "a lease", "waited_ms": 1, "last": "nothing" })
}

fn passed() -> Value {
    json!({ "verdict": "passed" })
}

/// A report of `command` with `options`, in which `records` ended.
fn run(command: &str, options: &[&str], records: &[Value], summary: &Value) -> Value {
    json!({
        "version": 1, "started": "2026-03-09T10:00:00Z", "selected": 2, "environment": null,
        "request": {
            "command": command, "options": options, "scenarios": [FIRST, SECOND],
            "again": "spawnlab run --failed",
        },
        "steps": [], "records": records, "summary": summary,
    })
}

fn ended() -> Value {
    json!({ "counts": {}, "as_expected": false, "interrupted": false, "took_ms": 1 })
}

fn interrupted() -> Value {
    json!({ "counts": {}, "as_expected": false, "interrupted": true, "took_ms": 1 })
}

/// What the command with `args` and a report `report` in `file` comes to: its exit code and all that it says.
fn failed(command: &str, file: &str, report: &str, args: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join(file), report).expect("written");
    let dir = folder.path().to_str().expect("UTF-8");
    let output = spawnlab(&[&[command], args, &["--failed", dir]].concat());
    let said = stdout(&output) + &stderr(&output);
    let left = std::fs::read_dir(folder.path()).expect("there").count();
    assert_eq!(left, 1, "{said}");
    (output.status.code(), said.replace(dir, "RUN"))
}

/// With a tool that is not there, everything is said, and nothing is started.
const NO_TOOL: [&str; 4] = ["--tool", "/nowhere/deploy", "--repeat", "2"];

/// Each command for what had failed had to be copied.
/// <https://github.com/coreos/coreos-assembler/issues/2471>, <https://github.com/coreos/coreos-assembler/issues/2857>
#[rstest::rstest]
#[case::one_failed(&[record(FIRST, &passed()), record(SECOND, &timed_out())], &ended(), "again: 1 of 2 in RUN\n")]
#[case::interrupted(&[record(FIRST, &json!({ "verdict": "interrupted" }))], &interrupted(),
    "again: 2 of 2 in RUN, which was interrupted\n")]
#[case::left_out(&[record(FIRST, &passed()), record(SECOND, &json!({ "verdict": "skipped", "why": "interrupted before it began" }))],
    &interrupted(), "again: 1 of 2 in RUN, which was interrupted\n")]
#[case::killed(&[record(FIRST, &passed())], &Value::Null, "again: 1 of 2 in RUN, which did not end: it was killed, or runs still\n")]
#[case::gone(&[record("names::old", &timed_out()), record(SECOND, &timed_out()), record(FIRST, &passed())], &ended(),
    "again: 2 of 2 in RUN\n  no more:  names::old\n")]
fn coreos_assembler_2471_what_failed_is_run_again_with_its_options(
    #[case] records: &[Value],
    #[case] summary: &Value,
    #[case] intro: &str,
) {
    let report = run("run", &NO_TOOL, records, summary).to_string();
    let (code, said) = failed("run", "run.json", &report, &[]);
    assert_eq!(code, Some(2), "{said}");
    let options = "  as then:  --tool /nowhere/deploy --repeat 2\n";
    assert!(
        said.starts_with(&format!("{intro}{options}error: tool /nowhere/deploy: ")),
        "{said}"
    );
}

#[test]
fn what_is_given_now_wins_and_is_said() {
    let report = run("run", &NO_TOOL, &[record(SECOND, &timed_out())], &ended()).to_string();
    let args = ["--tool", "/nowhere/mended", "networking::"];
    let (code, said) = failed("run", "run.json", &report, &args);
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("\n  changed:  --tool /nowhere/mended, which was /nowhere/deploy\n"),
        "{said}"
    );
    assert!(said.contains("error: tool /nowhere/mended: "), "{said}");
}

#[test]
fn where_all_came_out_as_expected_nothing_is_run() {
    let records = [
        record(FIRST, &passed()),
        record(SECOND, &json!({ "verdict": "skipped", "why": "so" })),
    ];
    let report = run("run", &NO_TOOL, &records, &ended()).to_string();
    let (code, said) = failed("run", "run.json", &report, &[]);
    assert_eq!(
        (code, said.as_str()),
        (
            Some(0),
            "nothing to run again: all 2 in RUN came out as expected\n"
        )
    );
}

/// The first cases of the built-in matrix.
const CASES: [&str; 3] = [
    "image=trixie,guest=trixie,firewall=off,tool=ours",
    "image=trixie,guest=bookworm,firewall=nixpkgs-498177,tool=ours",
    "image=trixie,guest=sid,firewall=nixos,tool=ours",
];

/// A report of `qualify` with `options` that planned two scenarios in each of `cases`, of which `records` ended.
fn qualification(options: &[&str], cases: &[(&str, &[Value], Value)]) -> Value {
    let planned = |name: &str| json!({ "name": name, "scenarios": [FIRST, SECOND] });
    let planned: Vec<Value> = cases.iter().map(|(name, ..)| planned(name)).collect();
    let case = |(name, records, missing): &(&str, &[Value], Value)| {
        let mut case = json!({ "name": name, "values": {}, "folder": "cases/a", "environment": null,
            "took_ms": 1, "records": records });
        if !missing.is_null() {
            case["missing"] = missing.clone();
        }
        case
    };
    let cases: Vec<Value> = cases.iter().map(case).collect();
    json!({
        "version": 1, "started": "2026-03-09T10:00:00Z", "interrupted": false, "took_ms": 1,
        "request": { "command": "qualify", "options": options, "scenarios": [], "again": "" },
        "plan": { "spawnlab": "0.1.0", "cover": "pairs", "loops": 3, "excluded": [], "cases": planned },
        "cases": cases,
    })
}

fn one_failed() -> String {
    let records = [record(FIRST, &passed()), record(SECOND, &timed_out())];
    qualification(&[], &[(CASES[0], &records, Value::Null)]).to_string()
}

#[test]
fn a_qualification_is_run_again_in_the_same_cases_only() {
    let both = [record(FIRST, &passed()), record(SECOND, &passed())];
    let failed_in = [record(FIRST, &passed()), record(SECOND, &timed_out())];
    let not_run = json!({ "kind": "not-run" });
    let cases: [(&str, &[Value], Value); 3] = [
        (CASES[0], &both, Value::Null),
        (CASES[1], &failed_in, Value::Null),
        (CASES[2], &[], not_run),
    ];
    let report = qualification(&[], &cases).to_string();
    let again = |args: &[&str]| {
        let args = [&["--list", "--json"], args].concat();
        let (code, said) = failed("qualify", "qualify.json", &report, &args);
        assert_eq!(code, Some(0), "{said}");
        serde_json::from_str::<Value>(&said).expect("JSON")
    };
    let second = json!({ "name": CASES[1], "scenarios": [SECOND] });
    // In the order of the suite.
    let third = json!({ "name": CASES[2], "scenarios": [SECOND, FIRST] });
    assert_eq!(again(&[]), json!([second, third]));
    assert_eq!(again(&["--case", "firewall=nixos"]), json!([third]));
    let part = json!({ "name": CASES[2], "scenarios": [FIRST] });
    assert_eq!(again(&["--scenario", "names::"]), json!([part]));
}

#[test]
fn what_is_run_again_of_a_qualification_is_said_with_its_options() {
    let records = [record(FIRST, &passed()), record(SECOND, &timed_out())];
    let options = [
        "--soak=20",
        "--promises",
        "none",
        "--known",
        "/nowhere/known.toml",
    ];
    let report = qualification(&options, &[(CASES[0], &records, Value::Null)]).to_string();
    let (code, said) = failed("qualify", "qualify.json", &report, &["--soak=2"]);
    // With a list of known bugs that is not there, everything is said, and nothing is started.
    assert_eq!(code, Some(2), "{said}");
    let intro = "again: 1 scenario in 1 of 1 cases in RUN\n  \
        as then:  --promises none --known /nowhere/known.toml\n  \
        changed:  --soak=2, which was 20\nerror: known bugs in /nowhere/known.toml: ";
    assert!(said.starts_with(intro), "{said}");
}

#[test]
fn where_a_qualification_came_out_as_expected_nothing_is_run() {
    let both = [record(FIRST, &passed()), record(SECOND, &passed())];
    let report = qualification(&[], &[(CASES[0], &both, Value::Null)]).to_string();
    let (code, said) = failed("qualify", "qualify.json", &report, &[]);
    assert_eq!(
        (code, said.as_str()),
        (
            Some(0),
            "nothing to run again: every case in RUN came out as expected\n"
        )
    );
}

#[rstest::rstest]
#[case::no_report("notes.txt", "mine", 2, "qualify.json")]
#[case::of_run("qualify.json", &run("run", &[], &[], &ended()).to_string(), 2, "not a qualification")]
#[case::older("qualify.json", &one_failed().replace("\"request\"", "\"asked\""), 2, "it does not say what it was run with")]
#[case::another_matrix("qualify.json", &one_failed().replace("trixie", "plan9"), 4, "nothing is here: image=plan9,")]
fn what_of_a_qualification_can_not_be_run_again_is_one_clear_message(
    #[case] file: &str,
    #[case] report: &str,
    #[case] code: i32,
    #[case] why: &str,
) {
    let (ended, said) = failed("qualify", file, report, &[]);
    assert_eq!(ended, Some(code), "{said}");
    assert!(
        said.starts_with("error: report RUN: ") && said.contains(why),
        "{said}"
    );
    assert!(
        said.contains("\nhint: ") && said.lines().count() == 2,
        "{said}"
    );
}

#[test]
fn without_a_report_no_qualification_is_run_again_and_the_newest_is_taken() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ended = || {
        let output = assert_cmd::Command::new(env!("CARGO_BIN_EXE_spawnlab"))
            .env("SPAWNLAB_RUNS", folder.path())
            .args(["qualify", "--failed", "--list"])
            .output()
            .expect("it can be started");
        (output.status.code(), stdout(&output) + &stderr(&output))
    };
    let (code, said) = ended();
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("there was no run yet"), "{said}");
    let report = |name: &str, file: &str, text: &str| {
        let dir = folder.path().join(name);
        std::fs::create_dir_all(&dir).expect("made");
        std::fs::write(dir.join(file), text).expect("written");
    };
    let both = [record(FIRST, &passed()), record(SECOND, &passed())];
    let whole = qualification(&[], &[(CASES[0], &both, Value::Null)]).to_string();
    report("2026-03-09T10-00-00", "qualify.json", &whole);
    report("2026-03-10T10-00-00", "qualify.json", &one_failed());
    // A run that came later is none.
    report("2026-03-11T10-00-00", "run.json", "{}");
    let (code, said) = ended();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said, format!("{}\n    1 scenarios\n", CASES[0]));
}

fn without_request() -> String {
    let mut report = run("run", &[], &[record(FIRST, &timed_out())], &ended());
    report.as_object_mut().expect("an object").remove("request");
    report.to_string()
}

#[rstest::rstest]
#[case::damaged(
    "run.json",
    "{\"version\": 1,",
    2,
    "report RUN: RUN/run.json: not JSON: ",
    "--failed takes"
)]
#[case::newer(
    "run.json",
    "{\"version\": 2}",
    2,
    "report RUN: RUN/run.json: layout version 2",
    "--failed takes"
)]
#[case::no_report("notes.txt", "mine", 2, "run.json", "--failed takes")]
#[case::older("run.json", &without_request(), 2, "it does not say what it was run with", "`again`")]
#[case::of_prove("run.json", &run("prove", &[], &[record(FIRST, &timed_out())], &ended()).to_string(), 2,
    "it is a report of `prove`, not of `run`", "`spawnlab prove --failed`")]
#[case::another_suite("run.json", &run("run", &[], &[record("cats::purr", &timed_out()), record(FIRST, &passed()), record(SECOND, &passed())], &ended()).to_string(),
    4, "no scenario is here: cats::purr", "`spawnlab list`")]
#[case::unknown_options("run.json", &run("run", &["--moon", "full"], &[record(FIRST, &timed_out())], &ended()).to_string(),
    2, "none that this command knows: --moon full", "another spawnlab")]
#[case::qualification("qualify.json", &one_failed(), 2, "it is a qualification, which is more than one run",
    "`spawnlab qualify --failed` takes it")]
fn what_can_not_be_run_again_is_one_clear_message(
    #[case] file: &str,
    #[case] report: &str,
    #[case] code: i32,
    #[case] why: &str,
    #[case] hint: &str,
) {
    let (ended, said) = failed("run", file, report, &[]);
    assert_eq!(ended, Some(code), "{said}");
    assert!(
        said.starts_with("error: report RUN: ") && said.contains(why),
        "{said}"
    );
    let (_, hinted) = said
        .split_once("\nhint: ")
        .unwrap_or_else(|| panic!("no hint: {said}"));
    assert!(hinted.contains(hint) && said.lines().count() == 2, "{said}");
}

#[rstest::rstest]
#[case(&["run", "--failed"], "there was no run yet")]
#[case(&["prove", "--failed", "names::"], "report names::: it is neither a path nor a report in ")]
fn without_a_report_nothing_is_run(#[case] args: &[&str], #[case] why: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let runs = folder.path().join("runs");
    let output = assert_cmd::Command::new(env!("CARGO_BIN_EXE_spawnlab"))
        .env("SPAWNLAB_RUNS", &runs)
        .args(args)
        .output()
        .expect("it can be started");
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains(why) && said.contains("\nhint: --failed takes"),
        "{said}"
    );
    assert!(!Path::new(&runs).exists());
}
