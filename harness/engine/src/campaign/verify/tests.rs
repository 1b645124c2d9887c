use super::*;
use crate::{
    campaign::shard::Shard,
    diagnose::{Condition, Step},
    run::known::Known,
    verdict::{Failure, Verdict, event::Environment},
};

fn record(verdict: Verdict) -> Record {
    Record {
        name: "names::a.base.1".into(),
        claim: "It is so.".into(),
        verdict,
        started: None,
        took_ms: 1,
        evidence: "evidence/names/a.base.1".into(),
        again: "spawnlab verify".into(),
    }
}

fn failed() -> Verdict {
    Verdict::Failed(Failure {
        assertion: "the lease".into(),
        expected: "one".into(),
        seen: "none | <nothing>".into(),
        hop: Some(Hop::Firewall),
        lines: vec![],
    })
}

fn verdict(letter: char) -> Verdict {
    match letter {
        'p' => Verdict::Passed,
        'f' => failed(),
        't' => Verdict::TimedOut {
            phase: "boot".into(),
            waited_ms: 1,
            last: "nothing".into(),
        },
        's' => Verdict::Skipped { why: "so".into() },
        'i' => Verdict::Infrastructure { error: "no".into() },
        other => panic!("no verdict is meant by {other}"),
    }
}

fn runs(letters: &str) -> Runs {
    let records: Vec<Record> = letters
        .chars()
        .map(|letter| record(verdict(letter)))
        .collect();
    let passed = letters.matches('p').count();
    Runs {
        passed: u32::try_from(passed).expect("few"),
        observed: Observed {
            diagnosis: [Hop::Link, Hop::Firewall, Hop::Lease]
                .map(|hop| Step {
                    hop,
                    condition: match (hop, letters.starts_with('f')) {
                        (Hop::Link, _) | (_, false) => Condition::Ok,
                        _ => Condition::Broken,
                    },
                    seen: "something".into(),
                    facts: vec![],
                })
                .into(),
            facts: vec!["counter refused-guests: 3 packets".into()],
        },
        records,
    }
}

fn compared(base: &str, change: &str) -> Compared {
    compare(
        "names::a",
        "It is so.",
        "spawnlab verify --exact names::a".into(),
        runs(base),
        runs(change),
    )
}

fn comparison(pairs: &[(&str, &str)]) -> Comparison {
    let scenarios: Vec<Compared> = pairs
        .iter()
        .map(|(base, change)| compared(base, change))
        .collect();
    Comparison {
        version: VERSION,
        base: SideReport {
            variables: vec!["firewall=nixos".into()],
            environment: None,
        },
        change: SideReport::default(),
        repeat: 3,
        shard: None,
        planned: vec![],
        shared: vec!["shared by all runs of a side: its boot".into()],
        overall: overall(&scenarios, false),
        scenarios,
    }
}

#[rstest::rstest]
#[case("fff", "ppp", "fixed")]
#[case("ftf", "ppp", "fixed")]
#[case("ppp", "fff", "broken")]
#[case("ppp", "ttt", "broken")]
#[case("ppp", "ppp", "still works")]
#[case("fff", "fff", "still fails")]
#[case("fff", "ppf", "flaky")]
#[case("pfp", "ppp", "flaky")]
#[case("psp", "ppp", "flaky")]
#[case("sss", "sss", "skipped")]
#[case("sss", "ppp", "skipped")]
#[case("ppp", "ppi", "undecided")]
#[case("pfp", "ppi", "undecided")]
#[case("ppp", "", "undecided")]
fn an_effect(#[case] base: &str, #[case] change: &str, #[case] word: &str) {
    assert_eq!(compared(base, change).effect.word(), word);
}

#[rstest::rstest]
#[case(&[("fff", "ppp"), ("ppp", "ppp")], Conclusion::DoesWhatItClaims)]
#[case(&[("fff", "ppp"), ("ppp", "fff")], Conclusion::Breaks)]
#[case(&[("fff", "ppp"), ("ppf", "ppp")], Conclusion::Flaky)]
#[case(&[("fff", "ppp"), ("ppi", "ppp")], Conclusion::Undecided)]
#[case(&[("ppp", "fff"), ("ppi", "pfp")], Conclusion::Breaks)]
#[case(&[("ppp", "ppp"), ("fff", "fff")], Conclusion::NoEffect)]
#[case(&[("sss", "sss")], Conclusion::NothingCompared)]
fn all_together(#[case] pairs: &[(&str, &str)], #[case] conclusion: Conclusion) {
    assert_eq!(comparison(pairs).overall.conclusion, conclusion);
}

#[test]
fn interrupted_whatever_came_before() {
    let scenarios = vec![compared("fff", "ppp")];
    assert_eq!(
        overall(&scenarios, true).conclusion,
        Conclusion::Interrupted
    );
}

#[test]
fn the_hops_that_changed_are_named_from_the_side_that_is_red() {
    assert_eq!(compared("fff", "ppp").hops, [Hop::Firewall, Hop::Lease]);
    assert_eq!(compared("ppp", "fff").hops, [Hop::Firewall, Hop::Lease]);
    assert!(compared("ppp", "ppp").hops.is_empty());
}

#[test]
fn a_comparison_on_a_terminal() {
    let pairs = [("fff", "ppp"), ("ppp", "ppp"), ("sss", "sss")];
    insta::assert_snapshot!(terminal(&comparison(&pairs)));
}

#[test]
fn what_the_hosts_of_a_side_are_is_said() {
    let mut comparison = comparison(&[("fff", "ppp")]);
    let os = "NixOS 26.11 (nixpkgs 0123456789ab), programs of Debian sid";
    comparison.base.environment = Some(Environment {
        image: "nixos 0123456789abcdef".into(),
        accelerator: "tcg".into(),
        tool: "/tool".into(),
        versions: [("os".to_owned(), os.to_owned())].into(),
        variables: Default::default(),
        inputs: None,
    });
    let text = terminal(&comparison);
    assert!(
        text.contains(&format!("firewall=nixos\n        on {os}\nchange")),
        "{text}"
    );
    let below = markdown(&comparison);
    assert!(below.contains(&format!("cdef, {os}, systemd")), "{below}");
}

#[test]
fn a_comparison_below_a_pull_request() {
    let pairs = [("fff", "ppp"), ("ppp", "ppp"), ("sss", "sss")];
    insta::assert_snapshot!(markdown(&comparison(&pairs)));
}

#[test]
fn a_comparison_for_a_ci_system() {
    let pairs = [
        ("ppp", "fff"),
        ("fff", "fff"),
        ("ppi", "ppp"),
        ("sss", "sss"),
    ];
    insta::assert_snapshot!(junit::render(&comparison(&pairs)).expect("serialises"));
}

const TRACKER: &str = "https://example.org/issues/1";

/// A row that expects `names::a` to fail at its lease where the firewall is NixOS' own.
fn known() -> Known {
    let row = format!(
        "[[known]]\nscenarios = \"names::a\"\ntracker = \"{TRACKER}\"\nassertion = \"the lease\"\n\
         when = [\"firewall = nixos\"]\nuntil = \"2027-03-31\"\n"
    );
    let today = "2026-03-09".parse().expect("a date");
    Known::read(&row, &["names::a".to_owned()], today).expect("sound")
}

#[rstest::rstest]
#[case::on_both_sides(("fff", "nixos"), ("fff", "nixos"), &[TRACKER])]
#[case::not_where_the_row_does_not_count(("fff", "nixos"), ("fff", "off"), &[])]
#[case::not_what_failed_in_another_way(("fff", "nixos"), ("ftf", "nixos"), &[])]
#[case::not_what_is_mended(("fff", "nixos"), ("ppp", "nixos"), &[])]
fn what_still_fails_is_known(
    #[case] base: (&str, &str),
    #[case] change: (&str, &str),
    #[case] trackers: &[&str],
) {
    let facts = |firewall: &str| [("firewall".to_owned(), firewall.to_owned())].into();
    let (known, facts) = (known(), [facts(base.1), facts(change.1)]);
    let sides = [(&known, &facts[0]), (&known, &facts[1])];
    let compared = compared(base.0, change.0);
    assert_eq!(super::trackers(&compared, sides), trackers);
}

#[test]
fn the_tracker_of_what_still_fails_stands_beside_it() {
    let mut comparison = comparison(&[("fff", "fff"), ("ppp", "ppp")]);
    comparison.scenarios[0].known = vec![TRACKER.into()];
    let text = terminal(&comparison);
    let line =
        format!("still fails  names::a (passed: base 0 of 3, change 0 of 3; known: {TRACKER})\n");
    assert!(text.contains(&line), "{text}");
    let below = markdown(&comparison);
    let cell = format!("| still fails (known: {TRACKER}) | 0 of 3 |");
    assert!(below.contains(&cell), "{below}");
    let xml = junit::render(&comparison).expect("serialises");
    let message = format!("<skipped message=\"still fails: known: {TRACKER}\"");
    assert!(xml.contains(&message), "{xml}");
    assert_eq!(read(&render(&comparison).expect("JSON")), Ok(comparison));
}

#[test]
fn what_is_written_is_read_again() {
    let comparison = comparison(&[("fff", "ppp"), ("sss", "sss")]);
    let text = render(&comparison).expect("serialises");
    assert_eq!(read(&text), Ok(comparison));
}

/// A comparison of the scenarios `a::one` to `a::four`, or the shard of it that holds the names for which
/// `holds` is true.
fn shard(shard: Option<&str>) -> Comparison {
    let scenarios = ["a::one", "a::two", "a::three", "a::four"];
    let sides = [
        ("fff", "ppp"),
        ("ppp", "ppp"),
        ("sss", "sss"),
        ("fff", "ppp"),
    ];
    let mut whole = comparison(&sides);
    for (compared, name) in whole.scenarios.iter_mut().zip(scenarios) {
        compared.name = name.into();
        compared.again = format!("spawnlab verify --exact {name}");
    }
    if let Some(text) = shard {
        let shard: Shard = text.parse().expect("a shard");
        whole
            .scenarios
            .retain(|compared| shard.holds(&compared.name));
        whole.overall = overall(&whole.scenarios, false);
        whole.overall.sentence = format!("shard {text}: {}", whole.overall.sentence);
        whole.planned = scenarios.map(str::to_owned).into();
        whole.shard = Some(text.to_owned());
    }
    whole
}

fn shards(which: &[&str]) -> Vec<(String, Comparison)> {
    let named = |text: &&str| ((*text).to_owned(), shard(Some(text)));
    which.iter().map(named).collect()
}

#[rstest::rstest]
#[case(&["1/1"])]
#[case(&["1/2", "2/2"])]
#[case(&["3/3", "1/3", "2/3"])]
fn what_shards_found_is_what_one_comparison_finds(#[case] which: &[&str]) {
    assert_eq!(merge::merge(&shards(which)), Ok(shard(None)));
}

#[test]
fn scenarios_of_a_shard_that_left_no_report_are_undecided() {
    let one = shards(&["1/2"]);
    assert!(!one[0].1.scenarios.is_empty(), "the shard holds some");
    let merged = merge::merge(&one).expect("merged");
    let undecided = |compared: &&Compared| {
        compared.effect
            == Effect::Undecided {
                why: "no report of its shard was merged".into(),
            }
    };
    let missing: Vec<_> = merged.scenarios.iter().filter(undecided).collect();
    assert_eq!(missing.len(), 4 - one[0].1.scenarios.len());
    assert_eq!(merged.overall.conclusion, Conclusion::Undecided);
    assert_eq!(
        missing[0].again,
        format!("spawnlab verify --exact {}", missing[0].name)
    );
}

#[test]
fn a_shard_that_the_lab_failed_for_says_why_its_scenarios_are_undecided() {
    let mut both = shards(&["1/2", "2/2"]);
    both[1].1.scenarios.clear();
    both[1].1.overall.error = Some("base: no image".into());
    let merged = merge::merge(&both).expect("merged");
    assert!(terminal(&merged).contains("undecided    a::"), "{merged:?}");
    assert!(terminal(&merged).contains(": base: no image"), "{merged:?}");
}

#[test]
fn what_does_not_belong_together_is_not_merged() {
    let changed = |change: fn(&mut Comparison)| {
        let mut both = shards(&["1/2", "2/2"]);
        change(&mut both[1].1);
        merge::merge(&both).expect_err("refused")
    };
    let errors = [
        changed(|other| other.shard = None),
        changed(|other| other.shard = Some("1/2".into())),
        changed(|other| other.change.variables = vec!["firewall=off".into()]),
        changed(|other| other.repeat = 1),
        changed(|other| drop(other.planned.pop())),
    ];
    insta::assert_snapshot!(errors.join("\n"));
    assert!(merge::merge(&[]).is_err());
}

fn terminal(of: &Comparison) -> String {
    page(of).terminal()
}

fn markdown(of: &Comparison) -> String {
    page(of).markdown()
}
