use proptest::prelude::*;

use super::{
    cover::cases,
    matrix::{Matrix, OneOf},
    *,
};
use crate::{campaign::shard::Shard, verdict::Failure};

const KNOWN: [&str; 4] = ["image", "guest", "firewall", "tool"];

const MATRIX: &str = r#"
image = ["trixie", "bookworm", "sid"]
guest = ["trixie", "sid"]
firewall = ["off", "nixos", "nftables:nixos"]
tool = ["ours"]

[[exclude]]
when = { image = "bookworm", guest = "sid" }
why = "its kernel is too old for them"

[[suite]]
when = { image = "trixie", firewall = "off" }
scenarios = []

[[suite]]
scenarios = ["networking::", "names::a"]
"#;

fn matrix() -> Matrix {
    Matrix::read(MATRIX, &KNOWN).expect("sound")
}

fn names(cover: Cover) -> Vec<String> {
    cases(&matrix(), cover).iter().map(Case::name).collect()
}

#[test]
fn pairs_are_few_and_the_same_each_time() {
    assert_eq!(names(Cover::Full).len(), 3 * 2 * 3 - 3);
    insta::assert_snapshot!(names(Cover::Pairs).join("\n"));
    assert_eq!(names(Cover::Pairs), names(Cover::Pairs));
}

#[test]
fn the_first_suite_that_holds_says_what_runs() {
    let matrix = matrix();
    let filters = |name: &str| {
        let product = matrix.product();
        let cell = product.iter().find(|cell| cell.name() == name);
        matrix.filters(cell.expect("in the product")).to_vec()
    };
    let all = filters("image=trixie,guest=sid,firewall=off,tool=ours");
    assert_eq!(all, Vec::<String>::new());
    let some = filters("image=sid,guest=sid,firewall=off,tool=ours");
    assert_eq!(some, ["networking::", "names::a"]);
}

#[test]
fn what_is_wrong_with_a_matrix_is_said() {
    let cases = [
        "image = [",
        "image = \"trixie\"",
        "image = []",
        "image = [\"a\", \"a\"]",
        "image = [\"a,b\"]",
        "colour = [\"red\"]",
        "",
        "image = [\"a\"]\n[[exclude]]\nwhen = { image = \"b\" }\nwhy = \"so\"",
        "image = [\"a\"]\n[[exclude]]\nwhen = { guest = \"b\" }\nwhy = \"so\"",
        "image = [\"a\"]\n[[exclude]]\nwhen = { image = \"a\" }",
        "image = [\"a\"]\n[[suite]]\nfilters = []",
    ];
    let errors = cases.map(|text| Matrix::read(text, &KNOWN).expect_err("refused"));
    insta::assert_snapshot!(errors.join("\n--\n"));
}

#[test]
fn a_matrix_beyond_all_reason_is_refused() {
    let values: Vec<String> = (0..200).map(|number| format!("\"v{number}\"")).collect();
    let values = values.join(", ");
    let text = format!("image = [{values}]\nguest = [{values}]");
    let error = Matrix::read(&text, &KNOWN).expect_err("refused");
    assert!(error.contains("20000"), "{error}");
}

/// Matrices of up to four dimensions, with up to three conditions that leave cells out.
fn matrices() -> impl Strategy<Value = Matrix> {
    let excludes =
        proptest::collection::vec((0..4_usize, 0..5_usize, 0..4_usize, 0..5_usize), 0..4);
    (proptest::collection::vec(1..5_usize, 1..5), excludes).prop_map(|(sizes, excludes)| {
        let mut matrix = matrix();
        matrix.excludes.clear();
        matrix.dimensions.truncate(0);
        for (name, size) in KNOWN.iter().zip(&sizes) {
            matrix.dimensions.push(matrix::Dimension {
                name: (*name).to_owned(),
                values: (0..*size).map(|number| format!("v{number}")).collect(),
            });
        }
        for (one, value, other, second) in excludes {
            let when = [(one, value), (other, second)].map(|(dimension, value)| {
                let value = OneOf::Value(format!("v{value}"));
                (KNOWN[dimension % sizes.len()].to_owned(), value)
            });
            matrix.excludes.push(Exclude {
                when: when.into(),
                why: "so".into(),
            });
        }
        matrix
    })
}

/// Two values of two dimensions that meet in `cell`.
fn met(cell: &Case) -> Vec<String> {
    let mut pairs = vec![];
    for (position, one) in cell.0.iter().enumerate() {
        pairs.extend(
            cell.0[position + 1..]
                .iter()
                .map(|other| format!("{one:?} {other:?}")),
        );
    }
    pairs
}

proptest! {
    #[test]
    fn every_two_values_that_can_meet_do(matrix in matrices()) {
        let product = matrix.product();
        let some = cases(&matrix, Cover::Pairs);
        prop_assert!(some.iter().all(|cell| product.contains(cell)));
        let covered: Vec<String> = some.iter().flat_map(met).collect();
        for pair in product.iter().flat_map(met) {
            prop_assert!(covered.contains(&pair), "{pair}");
        }
        if let Some(first) = product.first() {
            prop_assert!(some.contains(first), "the default is among them");
        }
    }

    #[test]
    fn each_case_is_in_one_shard(name in "[a-z=,:]{0,40}", count in 1..40_u32) {
        let holds = |number: u32| {
            let shard: Shard = format!("{number}/{count}").parse().expect("a shard");
            shard.holds(&name)
        };
        prop_assert_eq!((1..=count).filter(|number| holds(*number)).count(), 1);
    }

    #[test]
    fn what_shards_found_is_what_one_run_finds(
        letters in proptest::collection::vec("[pfesi]{0,4}", 15),
        count in 1..6_u32,
        swapped in any::<bool>(),
    ) {
        let whole = qualification(&letters, None);
        let mut shards: Vec<(String, Qualification)> = (1..=count)
            .map(|number| {
                let shard = format!("{number}/{count}");
                (shard.clone(), qualification(&letters, Some(&shard)))
            })
            .collect();
        if swapped {
            shards.reverse();
        }
        let merged = merge::merge(&shards).expect("they belong together");
        let (merged, whole) = (timeless(merged), timeless(whole));
        prop_assert_eq!(render(&merged).expect("JSON"), render(&whole).expect("JSON"));
        prop_assert_eq!(markdown(&merged), markdown(&whole));
        prop_assert_eq!(terminal(&merged), terminal(&whole));
        prop_assert_eq!(junit::render(&merged).expect("XML"), junit::render(&whole).expect("XML"));
    }
}

#[rstest::rstest]
#[case("1/1", true)]
#[case("2/5", true)]
#[case("0/5", false)]
#[case("6/5", false)]
#[case("2", false)]
#[case("a/b", false)]
#[case("1/0", false)]
fn a_shard_is_one_of_some(#[case] text: &str, #[case] is_one: bool) {
    assert_eq!(text.parse::<Shard>().is_ok(), is_one);
}

pub(super) fn record(name: &str, letter: char) -> Record {
    let failure = Failure {
        assertion: "the lease".into(),
        expected: "one".into(),
        seen: "none | <nothing>".into(),
        hop: None,
        lines: vec![],
    };
    let verdict = match letter {
        'p' => Verdict::Passed,
        'f' => Verdict::Failed(failure),
        'e' => Verdict::ExpectedFailure {
            tracker: "https://github.com/NixOS/nixpkgs/pull/498177".into(),
            failure,
        },
        's' => Verdict::Skipped {
            why: "it loads a firewall of its own".into(),
        },
        'n' => Verdict::Skipped {
            why: "the tool does not promise idempotent".into(),
        },
        'l' => Verdict::Skipped {
            why: crate::verdict::INTERRUPTED_BEFORE.into(),
        },
        'i' => Verdict::Infrastructure { error: "no".into() },
        other => panic!("no verdict is meant by {other}"),
    };
    Record {
        name: name.to_owned(),
        claim: "It is so.".into(),
        verdict,
        started: None,
        took_ms: 1_000,
        evidence: format!("evidence/{}", name.replace("::", "/")).into(),
        again: format!("spawnlab qualify --scenario {name}"),
    }
}

fn environment(cell: &Case) -> Environment {
    let image = cell.value("image").unwrap_or_default();
    let guest = cell.value("guest").unwrap_or_default();
    Environment {
        image: format!("debian-{image} 0123456789abcdef"),
        accelerator: "tcg (asked for)".into(),
        tool: "nixos-deploy-container".into(),
        versions: [
            ("systemd", "257.13"),
            ("nix", "2.26.3"),
            ("kernel", "6.12"),
            ("guest", guest),
        ]
        .map(|(program, version)| (program.to_owned(), version.to_owned()))
        .into(),
        variables: BTreeMap::new(),
        inputs: None,
    }
}

/// A made-up run of the matrix: in each case as many scenarios as it has `letters`, or all that the
/// shard holds of it. Its times are those of a machine that does something else each time.
pub(super) fn qualification(letters: &[String], shard: Option<&str>) -> Qualification {
    let cells = cases(&matrix(), Cover::Full);
    let holds = shard.map(|shard| shard.parse::<Shard>().expect("a shard"));
    let names = |letters: &str| -> Vec<String> {
        (0..letters.len())
            .map(|number| format!("names::s{number}"))
            .collect()
    };
    let salt = u64::try_from(shard.map_or(0, str::len)).expect("small");
    let planned = cells.iter().zip(letters).map(|(cell, letters)| Planned {
        name: cell.name(),
        scenarios: names(letters),
    });
    let plan = Plan {
        spawnlab: "0.1.0".into(),
        cover: Cover::Full,
        iterations: 3,
        cases: planned.collect(),
        excluded: matrix().excludes,
    };
    let cases = cells.iter().zip(letters).filter_map(|(cell, letters)| {
        let mut case = CaseReport::new(cell);
        if holds.is_some_and(|shard| !shard.holds(&case.name)) {
            return None;
        }
        case.environment = Some(environment(cell));
        case.took_ms = 61_000 + salt;
        case.missing = None;
        let named = names(letters).into_iter().zip(letters.chars());
        case.records = named
            .map(|(name, letter)| Record {
                took_ms: 1_000 + salt,
                ..record(&name, letter)
            })
            .collect();
        Some(case)
    });
    Qualification {
        version: VERSION,
        started: format!("2026-03-09T10:00:0{salt}Z"),
        cases: cases.collect(),
        request: None,
        plan,
        shard: shard.map(str::to_owned),
        interrupted: false,
        took_ms: 100_000 + salt,
    }
}

/// Without what differs by nature from run to run: when, and how long.
fn timeless(mut qualification: Qualification) -> Qualification {
    qualification.started = String::new();
    qualification.took_ms = 0;
    for case in &mut qualification.cases {
        case.took_ms = 0;
        for record in &mut case.records {
            record.took_ms = 0;
        }
    }
    qualification
}

pub(super) fn letters(pattern: &[&str]) -> Vec<String> {
    let all = pattern.iter().cycle().take(15);
    all.map(|letters| (*letters).to_owned()).collect()
}

fn sample() -> Qualification {
    let mut sample = qualification(&letters(&["ppps", "ppee", "pfp", "ppp"]), None);
    sample.cases.truncate(7);
    sample.plan.cases.truncate(7);
    sample.cases[4].records.clear();
    sample.cases[4].environment = None;
    sample.cases[4].missing = Some(Missing::Infrastructure("image sid: no | network".into()));
    sample
}

#[test]
fn the_page_on_a_terminal() {
    insta::assert_snapshot!(terminal(&sample()));
}

#[test]
fn the_page_for_a_release_manager() {
    insta::assert_snapshot!(markdown(&sample()));
}

#[test]
fn the_page_for_a_ci_system() {
    let mut sample = sample();
    sample.cases.drain(..2);
    sample.cases.truncate(3);
    insta::assert_snapshot!(junit::render(&sample).expect("serialises"));
}

#[test]
fn what_is_written_is_read_again() {
    let sample = sample();
    let text = render(&sample).expect("serialises");
    assert_eq!(read(&text), Ok(sample));
    let error = read(&text.replacen("\"version\": 1", "\"version\": 7", 1)).expect_err("unknown");
    assert!(error.contains("version 7"), "{error}");
}

#[rstest::rstest]
#[case(&["p", "ps", "e"], CaseOutcome::AsExpected)]
#[case(&["p", "pf"], CaseOutcome::Failed)]
#[case(&["pi", "pf"], CaseOutcome::Failed)]
#[case(&["pi", "p"], CaseOutcome::Incomplete)]
#[case(&["", "p"], CaseOutcome::AsExpected)]
fn what_the_cases_come_to(#[case] pattern: &[&str], #[case] came: CaseOutcome) {
    let mut all = qualification(&letters(pattern), None);
    assert_eq!(all.outcome(), came);
    all.interrupted = true;
    assert_eq!(all.outcome(), CaseOutcome::Interrupted);
}

#[test]
fn a_shard_that_left_no_report_is_missed() {
    let letters = letters(&["p"]);
    let shards: Vec<_> = ["1/3", "3/3"]
        .map(|shard| (shard.to_owned(), qualification(&letters, Some(shard))))
        .into();
    let merged = merge::merge(&shards).expect("they belong together");
    assert_eq!(merged.cases.len(), 15, "none is lost");
    assert_eq!(merged.outcome(), CaseOutcome::Incomplete);
    assert!(terminal(&merged).contains("no report of its shard was merged"));
}

#[test]
fn what_does_not_belong_together_is_not_merged() {
    let one = qualification(&letters(&["p"]), Some("1/3"));
    let two = qualification(&letters(&["p"]), Some("2/3"));
    let merged = |other: &Qualification| {
        let reports = [
            ("a".to_owned(), one.clone()),
            ("b".to_owned(), other.clone()),
        ];
        merge::merge(&reports).expect_err("refused")
    };
    let mut soaked = two.clone();
    soaked.plan.iterations = 20;
    let mut newer = two.clone();
    newer.plan.spawnlab = "0.2.0".into();
    let mut shorter = two.clone();
    shorter.plan.cases.pop();
    let mut another = two;
    another.plan.cases.swap(0, 1);
    let errors = [
        merged(&one),
        merged(&soaked),
        merged(&newer),
        merged(&shorter),
        merged(&another),
    ];
    insta::assert_snapshot!(errors.join("\n"));
    assert!(merge::merge(&[]).is_err());
}

#[test]
fn folders_are_for_every_store_of_build_results() {
    let plain = folder("image=trixie,firewall=off");
    assert_eq!(plain, "cases/image=trixie,firewall=off");
    let one = folder("image=a,firewall=nftables:nixos");
    let other = folder("image=a,firewall=nftables_nixos");
    assert_ne!(one, other);
    assert!(!one.as_str().contains(':'), "{one}");
}

#[test]
fn a_page_stays_one_page() {
    // Forty cases that fail alike are one finding.
    let mut sample = qualification(&letters(&["fffeess"]), None);
    let case = sample.cases[0].clone();
    sample.cases = (0..40)
        .map(|number| CaseReport {
            name: format!("image=i{number},guest=trixie,firewall=off,tool=ours"),
            ..case.clone()
        })
        .collect();
    let page = markdown(&sample);
    assert!(page.lines().count() < 40 + 45, "{page}");
}

pub(super) fn terminal(of: &Qualification) -> String {
    page(of).terminal()
}

pub(super) fn markdown(of: &Qualification) -> String {
    page(of).markdown()
}
