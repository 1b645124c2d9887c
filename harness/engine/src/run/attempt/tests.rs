//! Attempts at scenarios on clones that a script plays.

use super::*;
use crate::{
    run::scripted::{
        Ends, SABOTEUR, ScriptedLab, body, fails, is_skipped, kept_for_ever, lab_fails, passes,
        scenario, waits_in_vain, words,
    },
    scenario::{Body, script},
    verdict::finding::{Expected, FindingKind, HOST},
    vm::{qemu::scripted::Reply, verbs::Verbs as _},
};

fn ending(ends: Ends) -> &'static Scenario {
    kept_for_ever(scenario("page", body(ends)))
}

#[rstest::rstest]
#[case::it_passes(passes, "passed", "")]
#[case::an_assertion_fails(fails, "failed", "the page is served")]
#[case::a_wait_is_in_vain(waits_in_vain, "timed-out", "the lease")]
#[case::it_says_nothing_of_this_host(is_skipped, "skipped", "no resolver")]
#[case::the_lab_fails(lab_fails, "infrastructure", "no answer")]
#[tokio::test(start_paused = true)]
async fn what_a_body_ends_with_is_the_verdict_and_its_clone_is_ended(
    #[case] ends: Ends,
    #[case] word: &str,
    #[case] says: &str,
) {
    let lab = ScriptedLab::new().await;
    let verdict = lab.attempt(ending(ends)).run(&lab.evidence).await;
    assert_eq!(verdict.word(), word);
    assert!(words(&verdict).contains(says), "{verdict:?}");
    assert_eq!(lab.running(), 0);
    assert_eq!(
        ScriptedLab::phases(&lab.evidence),
        ["clone", "scenario", "evidence", "end"]
    );
    let evidence = lab.evidence.join("network.txt").exists();
    assert_eq!(evidence, verdict != Verdict::Passed);
}

#[rstest::rstest]
#[case("port-closed", Some(Hop::Port))]
#[case("link-down", Some(Hop::Link))]
#[case("sound", None)]
#[tokio::test(start_paused = true)]
async fn a_failure_names_the_hop_that_is_broken(#[case] host: &str, #[case] hop: Option<Hop>) {
    let lab = ScriptedLab::new().await;
    lab.is_like(host);
    let verdict = lab.attempt(ending(fails)).run(&lab.evidence).await;
    let Verdict::Failed(failure) = &verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(failure.hop, hop);
    assert_eq!(failure.lines.is_empty(), hop.is_none());
    assert!(lab.evidence.join(diagnose::FILE).exists());
    assert!(lab.evidence.join(diagnose::FACTS).exists());
}

#[tokio::test(start_paused = true)]
async fn the_way_to_the_container_that_was_asked_for_last_is_diagnosed() {
    let lab = ScriptedLab::new().await;
    let asks = Body::leaked(|lab| {
        Box::pin(async {
            let _ = lab.host().container("web");
            let _ = lab.host().container("second");
            fails()
        })
    });
    let asks = kept_for_ever(scenario("asks", asks));
    lab.attempt(asks).run(&lab.evidence).await;
    assert_eq!(lab.cache.script.count("set -- '\\''second'\\''"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_answers_no_more_is_the_broken_hop() {
    let lab = ScriptedLab::new().await;
    lab.reply("exec timeout", Reply::Gone);
    let verdict = lab.attempt(ending(fails)).run(&lab.evidence).await;
    let Verdict::Failed(failure) = &verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(failure.hop, Some(Hop::Host));
    assert_eq!(lab.running(), 0);
}

// Hosts of the script are emulated: all limits grow to four times what they are with KVM.
#[rstest::rstest]
#[case::without_turns(30, 0, 3, 120)]
#[case::with_turns(30, 10, 3, 240)]
#[case::with_more_turns(30, 10, 50, 2120)]
#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_end_is_cut_off_at_its_deadline(
    #[case] limit: u64,
    #[case] per_iteration: u64,
    #[case] iterations: u32,
    #[case] waited: u64,
) {
    let lab = ScriptedLab::new().await;
    let endless = Body::leaked(|lab| {
        Box::pin(async {
            lab.host().succeed("one command").await?;
            lab.host().succeed("and another").await?;
            std::future::pending().await
        })
    });
    let scenario = kept_for_ever(Scenario {
        limit: Duration::from_secs(limit),
        per_iteration: Duration::from_secs(per_iteration),
        ..scenario("endless", endless)
    });
    let attempt = Attempt {
        iterations: NonZeroU32::new(iterations).unwrap(),
        ..lab.attempt(scenario)
    };
    let begin = tokio::time::Instant::now();
    let verdict = attempt.run(&lab.evidence).await;
    let Verdict::TimedOut {
        waited_ms, last, ..
    } = &verdict
    else {
        panic!("{verdict:?}");
    };
    assert_eq!(*waited_ms, waited * 1000);
    assert!(last.starts_with("and another"), "{last}");
    assert!(begin.elapsed() >= Duration::from_secs(waited));
    assert!(begin.elapsed() < Duration::from_secs(waited + 60));
    assert_eq!(lab.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_command_that_does_not_end_is_killed_and_named() {
    let lab = ScriptedLab::new().await;
    lab.reply("sleep for ever", Reply::Hangs);
    let hanging = Body::leaked(|lab| {
        Box::pin(async {
            let limit = Duration::from_secs(5);
            lab.host()
                .execute_with("sleep for ever", b"", limit)
                .await?;
            Ok(())
        })
    });
    let scenario = kept_for_ever(scenario("hanging", hanging));
    let verdict = lab.attempt(scenario).run(&lab.evidence).await;
    let Verdict::TimedOut {
        phase,
        waited_ms,
        last,
    } = &verdict
    else {
        panic!("{verdict:?}");
    };
    assert_eq!(
        (phase.as_str(), *waited_ms),
        ("`sleep for ever` to end", 20_000)
    );
    assert!(last.starts_with("it still ran, and was killed"), "{last}");
}

#[rstest::rstest]
#[case::no_vm_starts("start")]
#[case::no_state_is_loaded("migrate-incoming")]
#[case::the_host_stays_stopped("cont")]
#[tokio::test(start_paused = true)]
async fn a_clone_that_can_not_be_had_says_nothing_of_the_claim(#[case] refused: &'static str) {
    let lab = ScriptedLab::new().await;
    lab.cache.script.refuse(refused);
    let verdict = lab.attempt(ending(fails)).run(&lab.evidence).await;
    assert_eq!(verdict.word(), "infrastructure");
    assert!(words(&verdict).contains("start") || words(&verdict).contains(refused));
}

fn missing() -> Reply {
    Reply::Ends(5, "Unit web.service not loaded.".into())
}

fn hangs() -> Reply {
    Reply::Hangs
}

fn gone() -> Reply {
    Reply::Gone
}

#[rstest::rstest]
#[case::it_fails(missing, &["web_stopped", "exit status 5", "web.service not loaded"])]
#[case::it_never_ends(hangs, &["waited 4m for"])]
#[case::the_host_dies_of_it(gone, &["the connection is closed"])]
#[tokio::test(start_paused = true)]
async fn a_saboteur_that_can_not_be_done_is_the_labs_failure(
    #[case] reply: fn() -> Reply,
    #[case] says: &[&str],
) {
    let lab = ScriptedLab::new().await;
    lab.reply("systemctl stop web", reply());
    let touched = Body::leaked(|lab| {
        Box::pin(async {
            lab.host()
                .succeed("the body")
                .await
                .map(drop)
                .map_err(ScenarioError::from)
        })
    });
    let attempt = Attempt {
        saboteur: Some(&SABOTEUR),
        ..lab.attempt(kept_for_ever(scenario("page", touched)))
    };
    let verdict = attempt.run(&lab.evidence).await;
    assert_eq!(verdict.word(), "infrastructure");
    for part in says {
        assert!(words(&verdict).contains(part), "{verdict:?}");
    }
    assert_eq!(lab.cache.script.count("the body"), 0);
    assert_eq!(lab.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_saboteur_is_done_before_the_body_and_in_order() {
    const BOTH: Saboteur = Saboteur {
        changes: &[script("first"), script("second")],
        ..SABOTEUR
    };
    let lab = ScriptedLab::new().await;
    lab.reply("is it sabotaged", Reply::After("set -e\nfirst\nsecond"));
    let asks = Body::leaked(|lab| {
        Box::pin(async {
            lab.host().succeed("is it sabotaged").await?;
            Ok(())
        })
    });
    let scenario = kept_for_ever(scenario("asks", asks));
    let plain = lab.attempt(scenario);
    let sabotaged = Attempt {
        saboteur: Some(&BOTH),
        ..plain.clone()
    };
    assert_eq!(sabotaged.run(&lab.evidence).await, Verdict::Passed);
    let verdict = plain.run(&lab.cache.evidence()).await;
    assert_eq!(
        verdict.word(),
        "failed",
        "nothing of it is left in the next clone"
    );
}

const EXPECTED: &[Expected] = &[Expected {
    kind: FindingKind::FailedUnit,
    subject: "web.service",
    machine: HOST,
    because: "it is killed",
}];

#[rstest::rstest]
#[case::well(None, Health::Counts(&[]), passes, "passed", "")]
#[case::not_expected(Some("web.service"), Health::Counts(&[]), passes, "failed", "no failed units")]
#[case::expected(Some("web.service"), Health::Counts(EXPECTED), passes, "passed", "")]
#[case::another(
    Some("other.service"),
    Health::Counts(EXPECTED),
    passes,
    "failed",
    "other.service"
)]
#[case::only_noted(Some("web.service"), Health::Noted, passes, "passed", "")]
#[case::told_beside(Some("web.service"), Health::Counts(&[]), fails, "failed", "failed unit on host")]
#[case::no_reason_to_run(Some("web.service"), Health::Counts(&[]), is_skipped, "skipped", "")]
#[case::a_wait(Some("web.service"), Health::Counts(&[]), waits_in_vain, "timed-out", "the lease")]
#[tokio::test(start_paused = true)]
async fn the_health_of_the_host_counts_after_the_scenarios_own_assertions(
    #[case] failed: Option<&str>,
    #[case] health: Health,
    #[case] ends: Ends,
    #[case] word: &str,
    #[case] says: &str,
) {
    let lab = ScriptedLab::new().await;
    if let Some(unit) = failed {
        lab.fails(unit);
    }
    let attempt = Attempt {
        health,
        ..lab.attempt(ending(ends))
    };
    let verdict = attempt.run(&lab.evidence).await;
    assert_eq!(verdict.word(), word, "{verdict:?}");
    assert!(words(&verdict).contains(says), "{verdict:?}");
    if let (Verdict::Failed(failure), Err(ScenarioError::Failed(own))) = (&verdict, ends()) {
        assert_eq!(failure.assertion, own.assertion);
    }
    let kept = lab.evidence.join(health::FILE).exists();
    assert_eq!(kept, failed.is_some(), "what was found is kept");
}

#[rstest::rstest]
#[case::after_a_pass(passes, "infrastructure")]
#[case::after_a_failure(fails, "failed")]
#[tokio::test(start_paused = true)]
async fn a_health_that_can_not_be_told_is_no_good_one(#[case] ends: Ends, #[case] word: &str) {
    let lab = ScriptedLab::new().await;
    lab.reply("exec journalctl", Reply::Ends(1, String::new()));
    let verdict = lab.attempt(ending(ends)).run(&lab.evidence).await;
    assert_eq!(verdict.word(), word);
}

#[rstest::rstest]
#[case::a_pass(passes, None, None, 0, None)]
#[case::a_skip(is_skipped, None, None, 0, None)]
#[case::a_failure(fails, None, None, 1, Some("the host is kept"))]
#[case::a_wait_in_vain(waits_in_vain, None, None, 1, Some("the host is kept"))]
#[case::a_failure_of_the_lab(lab_fails, None, None, 1, Some("the host is kept"))]
#[case::a_finding(passes, Some("web.service"), None, 1, Some("the host is kept"))]
#[case::no_room_for_the_disk(fails, None, Some("blockdev-backup"), 0, Some("could not be kept"))]
#[case::no_state_is_saved(fails, None, Some("migrate"), 0, Some("could not be kept"))]
#[tokio::test(start_paused = true)]
async fn the_host_of_what_does_not_pass_is_kept(
    #[case] ends: Ends,
    #[case] failed: Option<&str>,
    #[case] refused: Option<&'static str>,
    #[case] kept: usize,
    #[case] note: Option<&str>,
) {
    let lab = ScriptedLab::new().await;
    if let Some(unit) = failed {
        lab.fails(unit);
    }
    if let Some(command) = refused {
        lab.cache.script.refuse(command);
    }
    let scenario = ending(ends);
    let unkept = lab.attempt(scenario).run(&lab.cache.evidence()).await;
    assert_eq!(lab.kept(), 0, "nobody asked for it");
    let attempt = Attempt {
        keep: true,
        ..lab.attempt(scenario)
    };
    let verdict = attempt.run(&lab.evidence).await;
    assert_eq!(lab.kept(), kept);
    assert_eq!(lab.evidence.join("kept.json").exists(), kept == 1);
    assert_eq!(verdict.word(), unkept.word());
    match note {
        Some(note) => assert!(words(&verdict).contains(note), "{verdict:?}"),
        None => assert_eq!(verdict, unkept),
    }
    assert_eq!(lab.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn no_more_hosts_are_kept_than_there_may_be() {
    let lab = ScriptedLab::new().await;
    let attempt = Attempt {
        keep: true,
        ..lab.attempt(ending(fails))
    };
    for number in 0..=crate::layer::kept::MOST {
        let verdict = attempt.clone().run(&lab.cache.evidence()).await;
        let full = number == crate::layer::kept::MOST;
        let note = words(&verdict).contains("as many as there may be are kept already");
        assert_eq!(note, full, "{number}: {verdict:?}");
    }
    assert_eq!(lab.kept(), crate::layer::kept::MOST);
}

#[rstest::rstest]
#[case::as_a_saboteur_says(vec![ExpectedAt::Assertion("the page is served")], fails, false)]
#[case::anywhere(vec![ExpectedAt::Any], fails, false)]
#[case::by_one_of_two_rows(
    vec![ExpectedAt::Assertion("the lease"), ExpectedAt::Assertion("the page is served")],
    fails,
    false
)]
#[case::at_another_assertion(vec![ExpectedAt::Assertion("the lease")], fails, true)]
#[case::a_wait_is_never_expected(vec![ExpectedAt::Any], waits_in_vain, true)]
#[tokio::test(start_paused = true)]
async fn a_failure_that_is_expected_is_not_explained(
    #[case] expected: Vec<ExpectedAt<'static>>,
    #[case] ends: Ends,
    #[case] explained: bool,
) {
    let lab = ScriptedLab::new().await;
    lab.is_like("port-closed");
    let attempt = Attempt {
        expected,
        ..lab.attempt(ending(ends))
    };
    let verdict = attempt.run(&lab.evidence).await;
    assert_ne!(verdict, Verdict::Passed);
    for file in [diagnose::FILE, "network.txt"] {
        assert_eq!(lab.evidence.join(file).exists(), explained, "{file}");
    }
}

#[rstest::rstest]
#[case::diagnosed(true, passes)]
#[case::not_diagnosed(false, passes)]
#[case::failed(false, fails)]
#[tokio::test(start_paused = true)]
async fn an_observation_looks_at_the_clone_however_the_scenario_ended(
    #[case] diagnose: bool,
    #[case] ends: Ends,
) {
    let lab = ScriptedLab::new().await;
    lab.reply("what rules are there", Reply::Ends(0, "none\n".into()));
    let attempt = Attempt {
        observation: Some(Observation {
            diagnose,
            script: "what rules are there",
        }),
        ..lab.attempt(ending(ends))
    };
    let verdict = attempt.run(&lab.evidence).await;
    assert_eq!(verdict == Verdict::Passed, ends().is_ok());
    let side = fs_err::read_to_string(lab.evidence.join(SIDE)).unwrap();
    assert_eq!(side, "none\n");
    let walked = lab.evidence.join(diagnose::FILE).exists();
    assert_eq!(walked, diagnose || ends().is_err());
}
