//! `spawnlab qualify` and `spawnlab report merge`.

use camino::{Utf8Path, Utf8PathBuf};
use spawnlab::{
    campaign::{
        case::Case,
        qualify::{self, CaseReport, Missing, Plan, Planned, Qualification, cover::Cover},
        shard::Shard,
    },
    verdict::{Verdict, event::Record},
};

use crate::command::{spawnlab, stderr, stdout};

fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = Utf8PathBuf::from_path_buf(folder.path().to_owned()).expect("UTF-8");
    (folder, path)
}

fn names(args: &[&str]) -> Vec<String> {
    let output = spawnlab(args);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    let names = text.lines().filter(|line| !line.starts_with(' '));
    names.map(str::to_owned).collect()
}

#[rstest::rstest]
#[case("qualify", &["qualify", "--help"])]
#[case("report_merge", &["report", "merge", "--help"])]
fn help_says_what_there_is(#[case] name: &str, #[case] args: &[&str]) {
    let output = spawnlab(args);
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!(format!("help_{name}"), stdout(&output));
}

#[test]
fn shards_share_out_the_cases() {
    for cover in [&["qualify", "--list"][..], &["qualify", "--list", "--full"]] {
        let all = names(cover);
        assert!(!all.is_empty());
        let mut shared = vec![];
        for shard in ["1/3", "2/3", "3/3"] {
            let mut args = cover.to_vec();
            args.extend(["--shard", shard]);
            shared.extend(names(&args));
        }
        shared.sort();
        let mut all = all;
        all.sort();
        assert_eq!(shared, all, "each once");
    }
}

#[test]
fn the_list_is_for_programs_too() {
    let output = spawnlab(&["qualify", "--list", "--json", "--scenario", "names::"]);
    let listed: Vec<Planned> = serde_json::from_slice(&output.stdout).expect("JSON");
    let area = |name: &String| name.starts_with("names::");
    assert!(listed.iter().all(|case| case.scenarios.iter().all(area)));
    assert_eq!(
        listed
            .iter()
            .map(|case| case.name.clone())
            .collect::<Vec<_>>(),
        names(&["qualify", "--list"])
    );
}

#[test]
fn what_is_wrong_is_one_clear_message() {
    let (_folder, path) = folder();
    let matrix = |name: &str, text: &str| {
        let file = path.join(name);
        fs_err::write(&file, text).expect("written");
        file.to_string()
    };
    let colour = matrix("colour.toml", "colour = [\"red\"]\n");
    let firewall = matrix("firewall.toml", "firewall = [\"off\", \"brick\"]\n");
    let suite = matrix(
        "suite.toml",
        "image = [\"trixie\"]\n[[suite]]\nscenarios = [\"xyzzy::\"]\n",
    );
    let empty = matrix(
        "empty.toml",
        "image = [\"trixie\"]\n[[exclude]]\nwhen = { image = \"*\" }\nwhy = \"so\"\n",
    );
    let tool = matrix("tool.toml", "tool = [\"/nowhere/tool\"]\n");
    let checkout = matrix(
        "checkout.toml",
        "tool = [\"python-nixos-nspawn=/nowhere\"]\n",
    );
    let adapter = matrix("adapter.toml", "tool = [\"nspawn=/nowhere\"]\n");
    let known = matrix(
        "known.toml",
        "[[known]]\nscenarios = \"names::*\"\ntracker = \"https://example.org/1\"\nuntil = \"2020-01-01\"\n",
    );
    let report = path.join("report").to_string();
    let cases: &[(&[&str], i32)] = &[
        (&["nowhere.toml"], 2),
        (&[&colour], 2),
        (&[&firewall], 2),
        (&[&suite], 2),
        (&[&empty], 2),
        (&[&tool], 2),
        (&[&checkout], 2),
        (&[&adapter], 2),
        (&["--shard", "6/5"], 2),
        (&["--soak=0"], 2),
        (&["--case", "image=plan9"], 2),
        (&["--scenario", "xyzzy"], 4),
        (&["--known", &known], 2),
    ];
    let mut told = String::new();
    for (args, code) in cases {
        let mut words = vec!["qualify", "--report", &report];
        words.extend(*args);
        let output = spawnlab(&words);
        let text = stderr(&output).replace(path.as_str(), "/tmp");
        assert_eq!(output.status.code(), Some(*code), "{args:?}: {text}");
        assert!(!Utf8Path::new(&report).exists(), "{args:?} wrote something");
        told += &format!("{text}--\n");
    }
    insta::assert_snapshot!(told);
}

/// A made-up run of three cases, or of the shard of them, with evidence below `dir`.
fn written(dir: &Utf8Path, shard: Option<&str>) -> Qualification {
    let verdicts = [
        Verdict::Passed,
        Verdict::ExpectedFailure {
            tracker: "https://example.org/1".into(),
            failure: spawnlab::verdict::Failure {
                assertion: "the lease".into(),
                expected: "one".into(),
                seen: "none".into(),
                hop: None,
                lines: vec![],
            },
        },
        Verdict::Skipped { why: "so".into() },
    ];
    let cells = ["off", "nixos", "nftables:nixos"].map(|firewall| {
        let pairs = [("image", "trixie"), ("firewall", firewall)];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Case(pairs.into())
    });
    let plan = Plan {
        spawnlab: "0.1.0".into(),
        cover: Cover::Pairs,
        iterations: 3,
        cases: cells
            .iter()
            .map(|cell| Planned {
                name: cell.name(),
                scenarios: vec!["names::a".into()],
            })
            .collect(),
        excluded: vec![],
    };
    let holds: Option<Shard> = shard.map(|shard| shard.parse().expect("a shard"));
    let mut cases = vec![];
    for (cell, verdict) in cells.iter().zip(verdicts) {
        let mut case = CaseReport::new(cell);
        if holds.is_some_and(|shard| !shard.holds(&case.name)) {
            continue;
        }
        case.missing = None;
        case.records = vec![Record {
            name: "names::a".into(),
            claim: "It is so.".into(),
            verdict,
            started: None,
            took_ms: 7,
            evidence: "evidence/names/a".into(),
            again: "spawnlab qualify".into(),
        }];
        let evidence = dir.join(&case.folder).join("evidence/names/a");
        fs_err::create_dir_all(&evidence).expect("made");
        fs_err::write(evidence.join("console.log"), &case.name).expect("written");
        cases.push(case);
    }
    let whole = Qualification {
        version: qualify::VERSION,
        started: "2026-03-09T10:00:00Z".into(),
        request: None,
        plan,
        shard: shard.map(str::to_owned),
        cases,
        interrupted: false,
        took_ms: 0,
    };
    fs_err::create_dir_all(dir).expect("made");
    let json = qualify::render(&whole).expect("JSON");
    fs_err::write(dir.join("qualify.json"), json).expect("written");
    whole
}

#[test]
fn merged_shards_are_the_whole_with_their_evidence() {
    let (_folder, path) = folder();
    let whole = written(&path.join("whole"), None);
    let mut words = vec!["report".to_owned(), "merge".into(), "--report".into()];
    words.push(path.join("merged").into());
    for shard in ["3/3", "1/3", "2/3"] {
        let dir = path.join(shard.replace('/', "-"));
        written(&dir, Some(shard));
        words.push(dir.into());
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // The second time replaces the first.
    for time in 1..=2 {
        let output = spawnlab(&words);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let merged = path.join("merged");
        let read = |name: &str| fs_err::read_to_string(merged.join(name)).expect("there");
        assert_eq!(read("qualify.json"), qualify::render(&whole).expect("JSON"));
        assert_eq!(read("qualify.md"), qualify::page(&whole).markdown());
        for case in &whole.cases {
            let evidence = case.folder.join("evidence/names/a/console.log");
            assert_eq!(read(evidence.as_str()), case.name);
        }
        if time == 1 {
            insta::assert_snapshot!(stdout(&output).replace(path.as_str(), "/tmp"));
        }
    }
}

#[test]
fn what_can_not_be_merged_is_one_clear_message() {
    let (_folder, path) = folder();
    let one = path.join("one");
    let two = path.join("two");
    written(&one, Some("1/2"));
    written(&two, Some("1/2"));
    let empty = path.join("empty");
    fs_err::create_dir_all(&empty).expect("made");
    let odd = path.join("odd");
    fs_err::create_dir_all(&odd).expect("made");
    fs_err::write(odd.join("qualify.json"), "{\"version\": 9}").expect("written");
    let cases: &[&[&Utf8Path]] = &[&[&one, &two], &[&empty], &[&odd]];
    let mut told = String::new();
    let report = path.join("merged").to_string();
    for dirs in cases {
        let mut words = vec!["report", "merge", "--report", &report];
        words.extend(dirs.iter().map(|dir| dir.as_str()));
        let output = spawnlab(&words);
        let text = stderr(&output).replace(path.as_str(), "/tmp");
        assert_eq!(output.status.code(), Some(2), "{text}");
        told += &format!("{text}--\n");
    }
    let into_itself = spawnlab(&["report", "merge", "--report", one.as_str(), one.as_str()]);
    assert_eq!(into_itself.status.code(), Some(2));
    told += &stderr(&into_itself).replace(path.as_str(), "/tmp");
    assert!(one.join("qualify.json").is_file(), "nothing is lost");
    insta::assert_snapshot!(told);
}

#[test]
fn a_missing_shard_is_no_success() {
    let (_folder, path) = folder();
    let whole = written(&path.join("whole"), None);
    let alone: Vec<&str> = ["1/3", "2/3", "3/3"]
        .into_iter()
        .filter(|shard| {
            let shard: Shard = shard.parse().expect("a shard");
            whole.cases.iter().any(|case| shard.holds(&case.name))
        })
        .collect();
    assert!(alone.len() > 1, "the cases are spread");
    let dir = path.join("one");
    written(&dir, Some(alone[0]));
    let report = path.join("merged").to_string();
    let output = spawnlab(&["report", "merge", "--report", &report, dir.as_str()]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let text = fs_err::read_to_string(path.join("merged/qualify.json")).expect("there");
    let merged = qualify::read(&text).expect("a qualification");
    assert_eq!(merged.cases.len(), 3);
    let missing = |case: &&CaseReport| case.missing == Some(Missing::NoReport);
    assert!(merged.cases.iter().any(|case| missing(&case)));
}
