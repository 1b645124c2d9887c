//! What a declaration becomes.

use rstest::rstest;

use crate::{
    case::{fill_in, variant},
    expand::scenario,
};

const CASES: &str = r#"
    /// On {case} it holds ({one|other}).
    #[saboteur("s", fails = "f", spares = "a::{case}_x", case = nftables => "true")]
    #[saboteur("t", fails = "f", spares = "a::b" => file("/etc/x", "y"))]
    #[must_use]
    async fn it_holds(lab: &Lab, backend: Backend) -> Outcome { expect("f").that(true, 1, 1) }"#;

fn expanded(arguments: &str, item: &str) -> String {
    let tokens = scenario(
        arguments.parse().expect("tokens"),
        item.parse().expect("tokens"),
    );
    // Without the spaces that only tokens have.
    tokens.to_string().split_whitespace().collect()
}

#[test]
fn each_case_is_a_scenario_and_the_function_stays() {
    let text = expanded("on = Host, limit = 90, cases(nftables, iptables)", CASES);
    for part in [
        "#[must_use]asyncfnit_holds(lab:&Lab,backend:Backend)",
        r#"name:"nftables_it_holds",claim:"Onnftablesitholds(one).\n""#,
        r#"name:"iptables_it_holds",claim:"Oniptablesitholds(other).\n""#,
        "it_holds(lab,<Backend>::Nftables)",
        "it_holds(lab,<Backend>::Iptables)",
        r#"spares:"a::nftables_x""#,
        r#"changes:&[::spawnlab::scenario::script("true")]"#,
        r#"changes:&[file("/etc/x","y")]"#,
        "from_secs(90)",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(text.matches(r#"name:"s""#).count(), 1, "{text}");
    assert_eq!(text.matches(r#"name:"t""#).count(), 2, "{text}");
    assert!(!text.contains("#[saboteur"), "{text}");
}

#[test]
fn only_what_says_so_is_of_soak_runs_only() {
    for (arguments, soak) in [
        ("on = Host, cases(nftables, iptables)", "false"),
        ("on = Host, soak, cases(nftables, iptables)", "true"),
    ] {
        let text = expanded(arguments, CASES);
        assert_eq!(text.matches(&format!("soak:{soak},")).count(), 2, "{text}");
    }
    let text = expanded("on = Host, cases(nftables, soak(iptables))", CASES);
    let at = |part: &str| text.find(part).expect(part);
    assert!(
        at("soak:false,") < at(r#"name:"iptables_it_holds""#),
        "{text}"
    );
    assert!(
        at("soak:true,") > at(r#"name:"iptables_it_holds""#),
        "{text}"
    );
}

#[test]
fn a_case_may_be_a_text() {
    let text = expanded(
        "on = Host, cases(one, two)",
        &CASES
            .replace("Backend)", "&str)")
            .replace("nftables", "one"),
    );
    assert!(text.contains(r#"it_holds(lab,"two")"#), "{text}");
}

#[test]
fn what_is_wrong_leaves_the_function_to_those_who_call_it() {
    let text = expanded(
        "on = Host, cases(one, two, three)",
        &CASES.replace("case = nftables, ", ""),
    );
    assert!(text.contains("compile_error!{"), "{text}");
    assert!(text.contains("asyncfnit_holds"), "{text}");
    assert!(!text.contains("#[saboteur"), "{text}");
}

#[rstest]
#[case("plain {and} ${braces}", "plain {and} ${braces}")]
#[case("{case}: {x|y}{| too}", "b: y too")]
#[case("open { and", "open { and")]
#[case("({one|\n two\n })", "(two)")]
fn a_text_is_filled_in(#[case] text: &str, #[case] filled: &str) {
    let cases = ["a".to_owned(), "b".to_owned()];
    assert_eq!(fill_in(text, &cases, 1), Ok(filled.to_owned()));
    assert_eq!(fill_in(text, &[], 0), Ok(text.to_owned()));
}

#[test]
fn a_part_too_many_is_said() {
    let cases = ["a".to_owned(), "b".to_owned()];
    let why = fill_in("{x|y|z}", &cases, 0);
    assert_eq!(why, Err("{x|y|z} has 3 parts for 2 cases".to_owned()));
}

#[rstest]
#[case("nftables", "Nftables")]
#[case("own_rules", "OwnRules")]
fn variants_are_called_as_cases_are(#[case] case: &str, #[case] of: &str) {
    assert_eq!(variant(case), of);
}

/// The page that a newcomer copies from.
#[test]
fn the_example_of_the_page_is_a_scenario_of_few_lines() {
    let page = include_str!("../../../../docs/add-a-scenario.md");
    let (_, example) = page.split_once("```rust\n").expect("an example");
    let (example, _) = example.split_once("```").expect("its end");
    assert!(example.lines().count() <= 15, "{example}");
    let rest = example.split_once("#[scenario(").expect("an attribute");
    let (arguments, below) = rest.1.split_once(")]\n").expect("its end");
    let text = expanded(arguments, &format!("{}{below}", rest.0));
    assert!(!text.contains("compile_error"), "{text}");
    assert!(text.contains("registry::Registered{scenario:"), "{text}");
    assert!(!text.contains("is_assertion_of_the_lab"), "{text}");
}
