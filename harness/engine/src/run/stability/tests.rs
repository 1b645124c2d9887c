//! A scenario that fails now and then, on clones that a script plays.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::*;
use crate::{
    report::run::Run,
    run::{
        config::{RunConfig, RunPolicy, Target},
        scripted::{ScriptedLab, failure, kept_for_ever, scenario},
        selection::Selected,
        session::Session,
    },
    scenario::{Body, fixture::Fixture},
    verdict::event::{Record, RunRequest},
};

/// Fails once in ten times, by a generator with a seed (the one of Knuth's MMIX).
fn one_in_ten(seed: u64) -> Selected {
    let state: &'static AtomicU64 = Box::leak(Box::new(AtomicU64::new(seed)));
    let body = Body::leaked(move |_| {
        Box::pin(async move {
            let next = |state: u64| {
                let state = state.wrapping_mul(6_364_136_223_846_793_005);
                state.wrapping_add(1_442_695_040_888_963_407)
            };
            let old = state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |old| Some(next(old)));
            let now = next(old.unwrap_or_default());
            match (now >> 33) % 10 {
                0 => Err(failure("the page is served").into()),
                _ => Ok(()),
            }
        })
    });
    Selected {
        scenario: kept_for_ever(scenario("now_and_then", body)),
        saboteur: None,
        spared: None,
    }
}

fn session(lab: &ScriptedLab, repeat: u32, ledger: Ledger, gates: bool) -> Arc<Session> {
    let again = |name: &str| format!("spawnlab run --exact {name}");
    let policy = RunPolicy {
        repeat: NonZeroU32::new(repeat).expect("not zero"),
        stability: Arc::new(Stability::of(ledger, gates)),
        ..RunPolicy::once(Arc::new(again))
    };
    let target = Target::of(Fixture::default());
    Session::scripted_on(&lab.layer, RunConfig { target, policy })
}

/// The report of a run of that one scenario, `number` minutes into the day.
fn report(number: usize, verdict: &Verdict, repeat: u32) -> Run {
    let started = format!("2026-03-09T{:02}:{:02}:00Z", number / 60, number % 60);
    let mut run = Run::new(started.clone());
    run.environment = Some(Environment {
        inputs: Some("the same".into()),
        ..Environment::default()
    });
    run.request = Some(RunRequest {
        repeat,
        ..RunRequest::default()
    });
    run.records.push(Record {
        name: "tests::now_and_then".into(),
        claim: "it is so".into(),
        verdict: verdict.clone(),
        started: Some(started),
        took_ms: 1_000,
        evidence: "evidence/tests/now_and_then".into(),
        again: String::new(),
    });
    run
}

/// Verdicts of thirty runs, one after the other, each of which knows of those before.
async fn thirty(seed: u64, gates: bool) -> Vec<Verdict> {
    let lab = ScriptedLab::new().await;
    let (selected, mut ledger, mut verdicts) = (one_in_ten(seed), Ledger::default(), vec![]);
    for number in 0..30 {
        let session = session(&lab, 1, ledger.clone(), gates);
        let verdict = (session.task(selected).body)(lab.evidence.clone()).await;
        assert!(ledger.note(&report(number, &verdict, 1)), "counted");
        verdicts.push(verdict);
    }
    let unstable = ledger.cases("tests::now_and_then").next();
    let (_, entry) = unstable.expect("it is known");
    assert!(entry.unstable.is_some(), "{entry:?}");
    verdicts
}

fn words(verdicts: &[Verdict]) -> Vec<&'static str> {
    verdicts.iter().map(Verdict::word).collect()
}

#[tokio::test]
async fn who_fails_one_in_ten_is_found_in_thirty_runs_and_never_passes_again() {
    for seed in [1, 2, 4, 5] {
        let verdicts = thirty(seed, false).await;
        let words = words(&verdicts);
        let failed = words
            .iter()
            .position(|word| *word == "failed")
            .expect("once in thirty");
        let passed = words.iter().rposition(|word| *word == "passed");
        assert!(
            passed.is_none_or(|last| last < failed),
            "seed {seed}: {words:?}"
        );
        assert!(
            words[failed..].contains(&"unstable"),
            "seed {seed}: {words:?}"
        );
        let failures = words.iter().filter(|word| **word == "failed").count();
        assert!((1..10).contains(&failures), "seed {seed}: {words:?}");
    }
}

#[tokio::test]
async fn whether_an_unstable_pass_is_as_expected_is_for_the_user_to_say() {
    for gates in [false, true] {
        let verdicts = thirty(1, gates).await;
        let mut unstable = verdicts.iter().filter(|one| one.word() == "unstable");
        assert!(unstable.all(|one| one.is_expected() != gates));
    }
}

#[tokio::test]
async fn thirty_repeats_of_one_run_are_flaky_and_the_next_pass_is_unstable() {
    let lab = ScriptedLab::new().await;
    let mut ledger = Ledger::default();
    let repeated = session(&lab, 30, ledger.clone(), false);
    let verdict = (repeated.task(one_in_ten(1)).body)(lab.evidence.clone()).await;
    assert_eq!(verdict.word(), "flaky");
    assert!(ledger.note(&report(0, &verdict, 30)));
    let on = Environment {
        inputs: Some("the same".into()),
        ..Environment::default()
    };
    let entry = ledger.entry("tests::now_and_then", &on).expect("known");
    assert_eq!((entry.runs, entry.unstable.is_some()), (30, true));
    let stability = Stability::of(ledger.clone(), false);
    let next = |runs| stability.judge("tests::now_and_then", &on, runs, Verdict::Passed);
    assert_eq!(next(99).word(), "unstable");
    assert_eq!(next(100).word(), "passed");
}

#[tokio::test]
async fn a_hundred_runs_alike_make_a_scenario_stable_again() {
    let mut ledger = Ledger::default();
    let flaky = Verdict::Flaky {
        passed: 1,
        runs: 2,
        others: vec![],
    };
    ledger.note(&report(0, &flaky, 2));
    ledger.note(&report(1, &Verdict::Passed, 98));
    let on = Environment {
        inputs: Some("the same".into()),
        ..Environment::default()
    };
    let judged = |ledger: &Ledger| {
        let stability = Stability::of(ledger.clone(), false);
        stability.judge("tests::now_and_then", &on, 1, Verdict::Passed)
    };
    let Verdict::Unstable {
        clean,
        runs,
        failures,
        ..
    } = judged(&ledger)
    else {
        panic!("the 99th");
    };
    assert_eq!((clean, runs, failures), (99, 101, 1));
    ledger.note(&report(2, &judged(&ledger), 1));
    assert_eq!(judged(&ledger), Verdict::Passed, "the 100th");
    ledger.note(&report(3, &judged(&ledger), 1));
    let entry = ledger.entry("tests::now_and_then", &on).expect("known");
    assert_eq!((entry.unstable.as_deref(), entry.same), (None, 100));
    let other = BTreeMap::from([("firewall".to_owned(), "nixos".to_owned())]);
    let elsewhere = Environment {
        variables: other,
        ..on.clone()
    };
    assert!(ledger.entry("tests::now_and_then", &elsewhere).is_none());
}
