//! Tasks of a session whose hosts a script plays.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use camino::Utf8Path;

use super::{Session, layers::Layers};
use crate::{
    image::{Manifest, manifest_sample},
    run::{
        attempt::{Observation, SIDE},
        config::{RunConfig, RunPolicy, Target},
        known::Known,
        scripted::{
            Ends, SABOTEUR, ScriptedLab, ScriptedRules, Strict, body, fails, failure, is_skipped,
            kept_for_ever, passes, recipe, scenario, words,
        },
        selection::Selected,
    },
    scenario::{Base, Body, Feature, Guarantee, Scenario, fixture::Fixture},
    verdict::{Outcome, Verdict},
    vm::qemu::scripted::Reply,
};

fn config() -> RunConfig {
    let again = |name: &str| format!("spawnlab run --exact {name}");
    RunConfig {
        target: Target::of(Fixture::default()),
        policy: RunPolicy::once(Arc::new(again)),
    }
}

fn times(times: u32) -> NonZeroU32 {
    NonZeroU32::new(times).expect("not zero")
}

/// A session whose hosts are all clones of the layer of `lab`.
fn opened(lab: &ScriptedLab, config: RunConfig, manifest: Manifest) -> Arc<Session> {
    let layers = Layers {
        booted: None,
        of: BTreeMap::from([(Base::Host, vec![Ok(Arc::clone(&lab.layer))])]),
    };
    Session::scripted(config, manifest, layers)
}

fn selected(scenario: Scenario) -> Selected {
    Selected {
        scenario: kept_for_ever(scenario),
        saboteur: None,
        spared: None,
    }
}

async fn verdict(session: &Arc<Session>, selected: Selected, dir: &Utf8Path) -> Verdict {
    (session.task(selected).body)(dir.to_owned()).await
}

fn nixos() -> Manifest {
    let mut manifest = manifest_sample();
    manifest.os.id = "nixos".into();
    manifest
}

fn too_old() -> Manifest {
    let mut manifest = manifest_sample();
    manifest.versions.systemd = "247.3-7".into();
    manifest
}

fn needs(needs: &'static [Guarantee]) -> Scenario {
    Scenario {
        needs,
        ..scenario("page", body(passes))
    }
}

const TWO: &[Guarantee] = &[Guarantee::RollsBack, Guarantee::Idempotent];

fn wants(wants: &'static [Feature]) -> Scenario {
    Scenario {
        wants,
        ..scenario("page", body(passes))
    }
}

fn brings(brings: &'static [&'static str]) -> Scenario {
    Scenario {
        brings,
        ..scenario("page", body(passes))
    }
}

#[rstest::rstest]
#[case::no_reason(needs(&[]), &[], false, manifest_sample(), None)]
#[case::what_it_needs(needs(TWO), TWO, false, manifest_sample(), None)]
#[case::one_promise(needs(TWO), &TWO[1..], false, manifest_sample(), Some("the tool does not promise rolls-back"))]
#[case::two_promises(needs(TWO), &[], false, manifest_sample(), Some("promise rolls-back, idempotent"))]
#[case::own_rules(brings(&["firewall"]), &[], true, manifest_sample(), Some("it loads a firewall of its own"))]
#[case::the_only_rules(brings(&["firewall"]), &[], false, manifest_sample(), None)]
#[case::rules_that_the_host_does_not_take(brings(&["firewall"]), &[], false, nixos(), Some("it loads a firewall of its own: its modules make the rules"))]
#[case::a_setting_that_the_host_does_not_take(needs(&[]), &[], true, nixos(), Some("can't be put under a firewall of the lab's: its modules make the rules"))]
#[case::the_rules_of_others(brings(&[]), &[], true, manifest_sample(), None)]
#[case::a_feature(wants(&[Feature::NixosModules]), &[], false, manifest_sample(), Some("what NixOS' modules make"))]
#[case::a_host_that_has_it(wants(&[Feature::NixosModules]), &[], false, nixos(), None)]
#[case::the_whole_host(needs(&[]), &[], false, too_old(), Some("247.3-7"))]
#[tokio::test(start_paused = true)]
async fn what_can_not_be_run_here_is_skipped_with_the_reason(
    #[case] scenario: Scenario,
    #[case] promises: &[Guarantee],
    #[case] setting: bool,
    #[case] manifest: Manifest,
    #[case] why: Option<&str>,
) {
    let lab = ScriptedLab::new().await;
    let mut config = config();
    config.target.promises = promises.to_vec();
    config.target.variables = vec![&ScriptedRules];
    if setting {
        config.target.settings = vec![Arc::new(Strict(passes))];
    }
    let session = opened(&lab, config, manifest);
    let skip = session.task(selected(scenario)).skip;
    match (why, &skip) {
        (Some(why), Some(skip)) => assert!(skip.contains(why), "{skip}"),
        (why, skip) => assert_eq!(why, skip.as_deref()),
    }
}

// Hosts are emulated: four times 30 s.
#[rstest::rstest]
#[case::once(1, 1, 0, false, manifest_sample(), 120)]
#[case::three_times(3, 1, 0, false, manifest_sample(), 360)]
#[case::a_proof_has_up_to_three_parts(1, 1, 0, true, manifest_sample(), 360)]
#[case::a_proof_twice(2, 1, 0, true, manifest_sample(), 720)]
#[case::with_turns(1, 5, 10, false, manifest_sample(), 320)]
#[case::with_turns_three_times(3, 5, 10, false, manifest_sample(), 960)]
#[case::hosts_that_take_long(1, 1, 0, false, nixos(), 240)]
#[tokio::test(start_paused = true)]
async fn the_limit_of_a_task_covers_all_that_it_does(
    #[case] repeat: u32,
    #[case] iterations: u32,
    #[case] per_iteration: u64,
    #[case] sabotaged: bool,
    #[case] manifest: Manifest,
    #[case] seconds: u64,
) {
    let lab = ScriptedLab::new().await;
    let mut config = config();
    config.policy.repeat = times(repeat);
    config.policy.iterations = times(iterations);
    let session = opened(&lab, config, manifest);
    let selected = Selected {
        saboteur: sabotaged.then_some(&SABOTEUR),
        ..selected(Scenario {
            per_iteration: Duration::from_secs(per_iteration),
            ..scenario("page", body(passes))
        })
    };
    let task = session.task(selected);
    assert_eq!(task.limit, Duration::from_secs(seconds));
    let name = if sabotaged {
        "tests::page+web_stopped"
    } else {
        "tests::page"
    };
    assert_eq!(task.name, name);
    assert_eq!(task.again, format!("spawnlab run --exact {name}"));
}

/// A body that passes or fails as the letters of `runs` say, one after the other.
fn by_turns(runs: &'static str) -> Body {
    let at = AtomicUsize::new(0);
    Body::leaked(move |_| {
        let at = at.fetch_add(1, Ordering::Relaxed);
        let ends: Ends = match runs.as_bytes().get(at) {
            Some(b'p') => passes,
            Some(b'f') => fails,
            Some(b's') => is_skipped,
            other => panic!("nothing is meant by {other:?}"),
        };
        Box::pin(async move { ends() })
    })
}

#[rstest::rstest]
#[case("p", "passed")]
#[case("f", "failed")]
#[case("ppp", "passed")]
#[case("fff", "failed")]
#[case("pfp", "flaky")]
#[case("ssp", "flaky")]
#[case("ss", "skipped")]
#[tokio::test(start_paused = true)]
async fn each_repeat_has_a_fresh_clone_and_evidence_of_its_own(
    #[case] runs: &'static str,
    #[case] word: &str,
) {
    let lab = ScriptedLab::new().await;
    let mut config = config();
    let repeat = u32::try_from(runs.len()).unwrap();
    config.policy.repeat = times(repeat);
    let session = opened(&lab, config, manifest_sample());
    let before = lab.cache.script.count("qmp:start");
    let selected = selected(scenario("turns", by_turns(runs)));
    let verdict = verdict(&session, selected, &lab.evidence).await;
    assert_eq!(verdict.word(), word, "{verdict:?}");
    let clones = lab.cache.script.count("qmp:start") - before;
    assert_eq!(clones, runs.len());
    for number in 1..=repeat {
        let own = lab.evidence.join(number.to_string());
        assert_eq!(own.join("phases.json").exists(), repeat > 1, "{own}");
    }
}

fn known() -> Arc<Known> {
    let row = "[[known]]\nscenarios = \"tests::*\"\ntracker = \"https://example.org/1\"\nuntil = \"2999-01-01\"\n";
    let names = ["tests::page".to_owned()];
    Arc::new(Known::read_today(row, &names).expect("sound"))
}

#[rstest::rstest]
#[case::it_fails(passes, fails, "expected-failure")]
#[case::it_passes(passes, passes, "unexpected-pass")]
#[case::it_is_skipped(passes, is_skipped, "skipped")]
#[tokio::test(start_paused = true)]
async fn known_bugs_are_about_scenarios_and_not_about_their_proofs(
    #[case] neighbour: Ends,
    #[case] ends: Ends,
    #[case] word: &str,
) {
    let lab = ScriptedLab::new().await;
    let mut config = config();
    config.policy.known = known();
    let session = opened(&lab, config, manifest_sample());
    let plain = selected(scenario("page", body(ends)));
    let found = verdict(&session, plain, &lab.cache.evidence()).await;
    assert_eq!(found.word(), word);
    let proved = Selected {
        saboteur: Some(&SABOTEUR),
        spared: Some(kept_for_ever(scenario("neighbour", body(neighbour)))),
        ..plain
    };
    let found = verdict(&session, proved, &lab.cache.evidence()).await;
    let proof = match ends() {
        Err(broken) if broken.to_string().starts_with("the page") => "passed",
        Ok(()) => "failed",
        Err(_) => "skipped",
    };
    assert_eq!(found.word(), proof);
    let observation = Observation {
        diagnose: false,
        script: "look around",
    };
    let compared = session.compared(plain.scenario, "left".into(), 0, observation);
    let found = (compared.body)(lab.cache.evidence()).await;
    assert_eq!(
        found.word(),
        body_word(ends),
        "a comparison shows what it is"
    );
}

fn body_word(ends: Ends) -> &'static str {
    match ends() {
        Ok(()) => "passed",
        Err(broken) => broken.into_verdict().word(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_saboteur_that_spares_nothing_known_proves_nothing() {
    let lab = ScriptedLab::new().await;
    let session = opened(&lab, config(), manifest_sample());
    let selected = Selected {
        saboteur: Some(&SABOTEUR),
        ..selected(scenario("page", body(fails)))
    };
    let verdict = verdict(&session, selected, &lab.evidence).await;
    assert_eq!(verdict.word(), "infrastructure");
    assert!(words(&verdict).contains("spares tests::neighbour, which is no scenario"));
}

#[rstest::rstest]
#[case::a_run(false, 1)]
#[case::a_proof(true, 0)]
#[tokio::test(start_paused = true)]
async fn only_hosts_of_runs_are_kept(#[case] sabotaged: bool, #[case] kept: usize) {
    let lab = ScriptedLab::new().await;
    let mut config = config();
    config.policy.keep = true;
    let session = opened(&lab, config, manifest_sample());
    let neighbour = kept_for_ever(scenario("neighbour", body(passes)));
    let selected = Selected {
        saboteur: sabotaged.then_some(&SABOTEUR),
        spared: sabotaged.then_some(neighbour),
        ..selected(scenario("page", body(fails)))
    };
    verdict(&session, selected, &lab.evidence).await;
    assert_eq!(lab.kept(), kept);
}

fn unmade() -> Verdict {
    Verdict::Failed(failure("deploying the layer"))
}

#[rstest::rstest]
#[case::there(Base::Host, manifest_sample(), None, "passed")]
#[case::failed(Base::Deployed, manifest_sample(), Some("failed"), "failed")]
#[case::on_hosts_that_can_do_nothing(Base::Deployed, too_old(), None, "skipped")]
#[tokio::test(start_paused = true)]
async fn a_base_that_could_not_be_made_is_the_verdict_of_its_scenarios(
    #[case] base: Base,
    #[case] manifest: Manifest,
    #[case] unprepared: Option<&str>,
    #[case] word: &str,
) {
    let lab = ScriptedLab::new().await;
    let layers = Layers {
        booted: None,
        of: BTreeMap::from([
            (Base::Host, vec![Ok(Arc::clone(&lab.layer))]),
            (Base::Deployed, vec![Err(unmade())]),
        ]),
    };
    let session = Session::scripted(config(), manifest, layers);
    let found = session.unprepared(base);
    assert_eq!(found.as_ref().map(Verdict::word), unprepared);
    let based = selected(Scenario {
        machines: base.alone(),
        ..scenario("page", body(passes))
    });
    let verdict = verdict(&session, based, &lab.evidence).await;
    assert_eq!(verdict.word(), word);
}

#[tokio::test(start_paused = true)]
async fn the_repeats_of_a_comparison_begin_with_starts_of_their_own_as_far_as_there_are_some() {
    let lab = ScriptedLab::new().await;
    lab.reply("look around", Reply::Ends(0, "seen\n".into()));
    let mut starts = vec![];
    for name in ["start-1", "start-2"] {
        let plain = recipe(name, |_| Box::pin(async { Outcome::Ok(()) }));
        let stack = lab.cache.stack();
        starts.push(Ok(stack.child(&lab.layer, plain).await.unwrap()));
    }
    let layers = Layers {
        booted: None,
        of: BTreeMap::from([(Base::Host, starts)]),
    };
    let session = Session::scripted(config(), manifest_sample(), layers);
    for (run, name) in [(0, "start-1"), (1, "start-2"), (2, "start-2")] {
        let layer = session.layer(Base::Host, run).unwrap();
        assert_eq!(layer.name(), name, "run {run}");
    }
    let observation = Observation {
        diagnose: true,
        script: "look around",
    };
    let scenario = kept_for_ever(scenario("page", body(passes)));
    let task = session.compared(scenario, "page left 2".into(), 1, observation);
    assert_eq!(task.name, "page left 2");
    assert_eq!(task.again, "spawnlab run --exact tests::page");
    let dir = lab.cache.evidence();
    assert_eq!((task.body)(dir.clone()).await, Verdict::Passed);
    assert_eq!(fs_err::read_to_string(dir.join(SIDE)).unwrap(), "seen\n");
}
