//! `spawnlab verify` as far as no VM is needed, and shards of it merged.

use assert_cmd::Command;
use camino::{Utf8Path, Utf8PathBuf};
use spawnlab::{
    campaign::verify::{self, Comparison, Runs, SideReport},
    verdict::{Verdict, event::Record},
};

use crate::command::{spawnlab, stderr, stdout};

/// R20: seven layers were built in 3.5 minutes before it was said that nothing had been compared.
#[rstest::rstest]
#[case(&["firewall::"], "it loads a firewall of its own")]
#[case(&["--exact", "firewall::nftables_refuses_a_lease"], "firewall::nftables_refuses_a_lease: it loads")]
fn report_r20_what_can_not_be_compared_is_known_before_anything_is_built(
    #[case] filters: &[&str],
    #[case] part: &str,
) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let sides = [
        "--base",
        "firewall=nixos",
        "--change",
        "firewall=nixpkgs-498177",
    ];
    let output = Command::new(env!("CARGO_BIN_EXE_spawnlab"))
        .env("SPAWNLAB_CACHE", folder.path().join("cache"))
        .env("SPAWNLAB_RUNS", folder.path().join("runs"))
        .arg("verify")
        .args(sides)
        .args(filters)
        .timeout(std::time::Duration::from_secs(20))
        .output()
        .expect("it can be started");
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(
        said.starts_with("error: selection: nothing can be compared: "),
        "{said}"
    );
    assert!(said.contains(part), "{said}");
    assert!(
        said.contains("`firewall` alone stands for networking::"),
        "{said}"
    );
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("there").collect();
    assert!(left.is_empty(), "nothing is written: {left:?}");
}

#[test]
fn what_the_tools_do_not_promise_is_known_before_anything_is_built() {
    let sides = ["--base", "tool=/bin/sh", "--change", "tool=/bin/true"];
    let scenario = "deploy::rollback_brings_the_previous_generation_back";
    let words = [&["verify"], &sides[..], &["--exact", scenario]].concat();
    let output = spawnlab(&words);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("the tool does not promise"), "{said}");
}

/// A report of the shard `shard` in `dir`, in which each of `scenarios` passes on both sides.
fn written(dir: &Utf8Path, shard: &str, scenarios: &[&str]) {
    let runs = |name: &str, side: &str| {
        let evidence = Utf8PathBuf::from(format!("evidence/{name}.{side}.1"));
        fs_err::create_dir_all(dir.join(&evidence)).expect("made");
        let record = Record {
            name: format!("{name}.{side}.1"),
            claim: "It is so.".into(),
            verdict: Verdict::Passed,
            started: None,
            took_ms: 1,
            evidence,
            again: format!("spawnlab verify --exact {name}"),
        };
        Runs::of(vec![record], dir)
    };
    let compared = |name: &&str| {
        let again = format!("spawnlab verify --exact {name}");
        let (base, change) = (runs(name, "base"), runs(name, "change"));
        verify::compare(name, "It is so.", again, base, change)
    };
    let scenarios: Vec<_> = scenarios.iter().map(compared).collect();
    let comparison = Comparison {
        version: verify::VERSION,
        base: SideReport::default(),
        change: SideReport::default(),
        repeat: 1,
        shared: vec![],
        shard: Some(shard.to_owned()),
        planned: ["a::one", "a::two"].map(str::to_owned).into(),
        overall: verify::overall(&scenarios, false),
        scenarios,
    };
    let json = verify::render(&comparison).expect("JSON");
    fs_err::write(dir.join("verify.json"), json).expect("written");
}

#[test]
fn merged_shards_of_a_comparison_are_one_with_its_evidence() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = Utf8Path::from_path(folder.path()).expect("UTF-8");
    let [one, two, whole] = ["one", "two", "whole"].map(|name| path.join(name));
    written(&two, "2/2", &["a::two"]);
    written(&one, "1/2", &["a::one"]);
    let output = spawnlab(&[
        "report",
        "merge",
        "--report",
        whole.as_str(),
        two.as_str(),
        one.as_str(),
    ]);
    let said = stdout(&output);
    // A change without an effect is no success.
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let [first, second] = ["a::one", "a::two"].map(|name| said.find(name).expect("told"));
    assert!(first < second, "in the order of the plan: {said}");
    assert!(
        said.contains("2 still works\nthe change has no effect"),
        "{said}"
    );
    for file in [
        "verify.json",
        "verify.md",
        "junit.xml",
        "evidence/a::two.base.1",
    ] {
        assert!(whole.join(file).exists(), "{file}");
    }
    let output = spawnlab(&["report", "merge", "--report", whole.as_str(), one.as_str()]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stdout(&output).contains("undecided    a::two: "));
    let output = spawnlab(&["report", "merge", one.as_str(), one.as_str()]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("both are shard 1/2"),
        "{}",
        stderr(&output)
    );
}
