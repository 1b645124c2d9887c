use super::*;
use crate::{
    diagnose::{Condition, Step},
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
        looked: Looked {
            walk: [Hop::Link, Hop::Firewall, Hop::Lease]
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
        base: Side {
            variables: vec!["firewall=nixos".into()],
            environment: None,
        },
        change: Side::default(),
        repeat: 3,
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
#[case(&[("fff", "ppp"), ("ppp", "ppp")], Word::DoesWhatItClaims)]
#[case(&[("fff", "ppp"), ("ppp", "fff")], Word::Breaks)]
#[case(&[("fff", "ppp"), ("ppf", "ppp")], Word::Flaky)]
#[case(&[("fff", "ppp"), ("ppi", "ppp")], Word::Undecided)]
#[case(&[("ppp", "fff"), ("ppi", "pfp")], Word::Breaks)]
#[case(&[("ppp", "ppp"), ("fff", "fff")], Word::NoEffect)]
#[case(&[("sss", "sss")], Word::NothingCompared)]
fn all_together(#[case] pairs: &[(&str, &str)], #[case] word: Word) {
    assert_eq!(comparison(pairs).overall.word, word);
}

#[test]
fn interrupted_whatever_came_before() {
    let scenarios = vec![compared("fff", "ppp")];
    assert_eq!(overall(&scenarios, true).word, Word::Interrupted);
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
    insta::assert_snapshot!(text::render(&comparison(&pairs)));
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
    });
    let text = text::render(&comparison);
    assert!(
        text.contains(&format!("firewall=nixos\n        on {os}\nchange")),
        "{text}"
    );
    let below = markdown::render(&comparison);
    assert!(below.contains(&format!("cdef, {os}, systemd")), "{below}");
}

#[test]
fn a_comparison_below_a_pull_request() {
    let pairs = [("fff", "ppp"), ("ppp", "ppp"), ("sss", "sss")];
    insta::assert_snapshot!(markdown::render(&comparison(&pairs)));
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

#[test]
fn what_is_written_is_read_again() {
    let comparison = comparison(&[("fff", "ppp"), ("sss", "sss")]);
    let text = serde_json::to_string(&comparison).expect("serialises");
    assert_eq!(
        serde_json::from_str::<Comparison>(&text).expect("a comparison"),
        comparison
    );
}
