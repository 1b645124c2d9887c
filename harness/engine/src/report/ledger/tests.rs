use camino::{Utf8Path, Utf8PathBuf};

use super::*;
use crate::{
    report::{run::Run, sample},
    util::error::Error,
    verdict::{Verdict, event::Record},
};

fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = Utf8Path::from_path(folder.path())
        .expect("UTF-8")
        .to_owned();
    (folder, path)
}

fn failed() -> Verdict {
    let records = sample::run().records.into_iter();
    let mut verdicts = records.map(|record| record.verdict);
    let failed = verdicts.find(|verdict| verdict.word() == "failed");
    failed.expect("the sample has one")
}

/// A run of `a::b` that began on that day of March 2026, on kernel 6.`kernel`, which says what its inputs are, too.
fn run(day: u32, kernel: u32, verdict: Verdict) -> Run {
    let started = format!("2026-03-{day:02}T10:00:00Z");
    let mut run = Run::new(started.clone());
    run.environment = Some(Environment {
        image: "debian-trixie 3f9c".into(),
        accelerator: "tcg (because)".into(),
        versions: [("kernel".to_owned(), format!("6.{kernel}"))].into(),
        inputs: Some(format!("kernel 6.{kernel}")),
        ..Environment::default()
    });
    run.records.push(Record {
        name: "a::b".into(),
        claim: "it is so".into(),
        verdict,
        started: Some(started),
        took_ms: 1_000 * u64::from(day),
        evidence: "evidence/a/b".into(),
        again: String::new(),
    });
    run
}

fn of(runs: &[Run]) -> Ledger {
    let mut ledger = Ledger::default();
    for run in runs {
        ledger.note(run);
    }
    ledger
}

fn only(ledger: &Ledger) -> (&str, &LedgerEntry) {
    ledger.cases("a::b").next().expect("it is known")
}

#[test]
fn what_changed_with_which_versions() {
    let ledger = of(&[
        run(1, 12, Verdict::Passed),
        run(2, 12, Verdict::Passed),
        run(3, 13, failed()),
        run(4, 13, failed()),
    ]);
    let (case, entry) = only(&ledger);
    assert_eq!(case, "debian-trixie tcg");
    assert_eq!((entry.runs, entry.failures, entry.same), (4, 2, 2));
    assert_eq!(entry.usual_ms(), Some(2_000));
    assert_eq!(entry.unstable, None, "other inputs");
    let changed = entry.changed.as_ref().expect("it changed");
    assert_eq!(
        (changed.at.as_str(), changed.from),
        ("2026-03-03T10:00:00Z", Ending::Passed)
    );
    assert_eq!(ledger.differences(changed), [("kernel", "6.12", "6.13")]);
    insta::assert_snapshot!(ledger.render().expect("JSON"));
}

#[test]
fn who_comes_out_differently_on_the_same_inputs_is_unstable() {
    let ledger = of(&[run(1, 12, Verdict::Passed), run(2, 12, failed())]);
    assert_eq!(
        only(&ledger).1.unstable.as_deref(),
        Some("2026-03-02T10:00:00Z")
    );
    let back = of(&[
        run(1, 12, Verdict::Passed),
        run(2, 13, failed()),
        run(3, 12, Verdict::Passed),
    ]);
    assert_eq!(
        only(&back).1.unstable,
        None,
        "each input has its own outcome"
    );
}

#[test]
fn a_run_is_counted_once_and_an_old_one_says_nothing_of_now() {
    let mut ledger = of(&[run(2, 12, failed()), run(2, 12, failed())]);
    assert_eq!(only(&ledger).1.runs, 1);
    assert!(ledger.note(&run(1, 11, Verdict::Passed)));
    let (_, entry) = only(&ledger);
    assert_eq!(
        (entry.runs, entry.failures, entry.outcome),
        (2, 1, Ending::Failed)
    );
    assert_eq!(
        (entry.changed.as_ref(), entry.last.as_str()),
        (None, "2026-03-02T10:00:00Z")
    );
}

#[test]
fn what_says_nothing_of_a_scenario_is_not_counted() {
    let skipped = Verdict::Skipped { why: "so".into() };
    let spoiled = Verdict::Infrastructure { error: "no".into() };
    let ledger = of(&[
        run(1, 1, skipped),
        run(2, 1, spoiled),
        run(3, 1, Verdict::Interrupted),
    ]);
    assert_eq!(ledger.names(), Vec::<String>::new());
    let mut nowhere = run(4, 1, Verdict::Passed);
    nowhere.environment = None;
    assert!(!Ledger::default().note(&nowhere));
}

#[test]
fn it_does_not_grow_without_end() {
    let mut ledger = Ledger::default();
    for number in 0..ENTRIES + 10 {
        let mut one = run(1, 12, Verdict::Passed);
        one.started = format!("{number}");
        one.records[0].started = Some(format!(
            "2026-01-01T00:{:02}:{:02}Z",
            number / 60,
            number % 60
        ));
        one.records[0].name = format!("a::{number:04}");
        ledger.note(&one);
    }
    let names = ledger.names();
    assert_eq!((names.len(), names[0].as_str()), (ENTRIES, "a::0010"));
    assert_eq!((ledger.counted.len(), ledger.versions.len()), (RUNS, 1));
}

#[tokio::test]
async fn a_damaged_file_is_one_message_and_stays_as_it_is() {
    let (_folder, path) = folder();
    for text in [
        "",
        "{\"version\": 1, \"counted\"",
        "{\"version\": 2}",
        "\u{0}",
    ] {
        fs_err::write(path.join(FILE), text).expect("written");
        let error = read(&path).expect_err("damaged");
        assert!(matches!(error, Error::Given(_)), "{error:?}");
        let said = error.to_string();
        assert!(
            said.starts_with(path.join(FILE).as_str()) && said.contains("; remove the file"),
            "{said}"
        );
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(update(&path, &[run(1, 12, Verdict::Passed)]).await.is_err());
        assert_eq!(
            fs_err::read_to_string(path.join(FILE)).expect("there"),
            text
        );
    }
}

/// Each of them reads, counts and writes the whole file.
#[tokio::test(flavor = "multi_thread")]
async fn many_who_count_at_once_lose_nothing() {
    let (_folder, path) = folder();
    let counting = (1..=20).map(|day| {
        let path = path.clone();
        tokio::spawn(async move { update(&path, &[run(day, 12, Verdict::Passed)]).await })
    });
    for counting in counting.collect::<Vec<_>>() {
        let counted = counting.await.expect("no panic");
        assert_eq!(counted.expect("counted"), 1);
    }
    let ledger = read(&path).expect("sound");
    assert_eq!(only(&ledger).1.runs, 20);
    let again = update(&path, &[run(7, 12, Verdict::Passed)]).await;
    assert_eq!(again.expect("nothing to do"), 0);
}
