use super::*;
use crate::verdict::Failure;

const TODAY: Date = Date::constant(2026, 3, 9);

fn names() -> Vec<String> {
    vec!["names::sibling".into(), "journal::nonce".into()]
}

fn row(scenarios: &str, when: &str, until: &str) -> String {
    format!(
        "[[known]]\nscenarios = \"{scenarios}\"\ntracker = \"https://example.org/1\"\nwhen = [{when}]\nuntil = \"{until}\"\n"
    )
}

fn read(text: &str) -> Result<Known, String> {
    Known::read(text, &names(), TODAY)
}

fn failed() -> Verdict {
    Verdict::Failed(Failure {
        assertion: "it is so".into(),
        expected: "yes".into(),
        seen: "no".into(),
        hop: None,
        lines: vec![],
    })
}

fn versions() -> BTreeMap<String, String> {
    [("systemd", "257.13-1~deb13u1"), ("nix", "2.26.3+dfsg-1")]
        .map(|(program, version)| (program.to_owned(), version.to_owned()))
        .into()
}

fn word(known: &Known, name: &str, verdict: Verdict) -> &'static str {
    known.judge(name, &versions(), verdict).word()
}

#[test]
fn a_known_failure_is_expected_and_a_pass_is_not() {
    let known = read(&row("names::*", "", "2026-03-09")).expect("sound");
    assert_eq!(word(&known, "names::sibling", failed()), "expected-failure");
    let pass = known.judge("names::sibling", &versions(), Verdict::Passed);
    assert!(!pass.is_expected());
    assert_eq!(
        crate::report::text::essence(&pass),
        "should fail because of https://example.org/1"
    );
    assert_eq!(word(&known, "journal::nonce", failed()), "failed");
    assert_eq!(word(&known, "journal::nonce", Verdict::Passed), "passed");
}

#[test]
fn a_row_may_name_some() {
    let text = row("names::sibling", "", "2026-12-31");
    let some = text.replace("\"names::sibling\"", "[\"names::*\", \"journal::nonce\"]");
    let known = read(&some).expect("sound");
    assert_eq!(word(&known, "names::sibling", failed()), "expected-failure");
    assert_eq!(word(&known, "journal::nonce", failed()), "expected-failure");
    let unknown = some.replace("journal::nonce", "journal::no");
    assert!(read(&unknown).is_err_and(|why| why.starts_with("journal::no: ")));
    let none = text.replace("\"names::sibling\"", "[]");
    assert!(read(&none).is_err_and(|why| why.contains("names no scenario")));
}

#[test]
fn what_is_neither_failure_nor_pass_stays_what_it_is() {
    let known = read(&row("names::sibling", "", "2026-12-31")).expect("sound");
    let flaky = Verdict::Flaky {
        passed: 1,
        runs: 3,
        others: vec![],
    };
    assert_eq!(word(&known, "names::sibling", flaky), "flaky");
    let skipped = Verdict::Skipped { why: "so".into() };
    assert_eq!(word(&known, "names::sibling", skipped), "skipped");
}

#[rstest::rstest]
#[case("systemd < 258", true)]
#[case("systemd < 257", false)]
#[case("systemd = 257", true)]
#[case("systemd > 257", false)]
#[case("systemd >= 257.13", true)]
#[case("systemd <= 257.12", false)]
#[case("nix >= 2.26.3", true)]
#[case("nix < 2.9", false)]
#[case("kernel >= 6", false)]
fn a_row_counts_on_the_versions_that_it_names(#[case] when: &str, #[case] counts: bool) {
    let known = read(&row("names::sibling", &format!("{when:?}"), "2026-12-31")).expect("sound");
    let expected = if counts { "expected-failure" } else { "failed" };
    assert_eq!(word(&known, "names::sibling", failed()), expected);
}

#[rstest::rstest]
#[case(row("names::sibling", "", "2026-03-08"), "expired on 2026-03-08")]
#[case(row("names::sibling", "", "soon"), "is no date")]
#[case(row("names::other", "", "2026-12-31"), "spawnlab list")]
#[case(
    row("names::sibling", "\"systemd ~ 3\"", "2026-12-31"),
    "systemd < 258"
)]
#[case(row("names::sibling", "\"emacs < 3\"", "2026-12-31"), "kernel")]
#[case(
    row("names::sibling", "\"firewall < 3\"", "2026-12-31"),
    "NAME = PATTERN"
)]
#[case(row("names::sibling", "", "2026-12-31").replace("https://", ""), "is no URL")]
#[case(row("names::sibling", "", "2026-12-31").replace("when", "if"), "unknown field")]
#[case("nonsense".to_owned(), "expected")]
fn what_is_wrong_is_said(#[case] text: String, #[case] part: &str) {
    let error = read(&text).expect_err("refused");
    assert!(error.contains(part), "{error}");
}

#[test]
fn nothing_known_is_a_sound_list() {
    let known = read("# nothing\n").expect("sound");
    assert_eq!(word(&known, "names::sibling", failed()), "failed");
}

#[rstest::rstest]
#[case("image = debian-trixie", true)]
#[case("image = *trixie", true)]
#[case("firewall = *:nixos", true)]
#[case("firewall != off", true)]
#[case("firewall = off", false)]
#[case("guest != sid", true)]
#[case("guest-systemd < 262", true)]
#[case("nix < 3", false)] // it is "unknown"
#[case("accelerator = kvm", false)]
#[case("accelerator != kvm", false)] // nothing is known of it
fn a_row_counts_on_what_it_names(#[case] when: &str, #[case] counts: bool) {
    let facts = [
        ("image", "debian-trixie"),
        ("firewall", "iptables:nixos"),
        ("guest", "trixie"),
        ("guest-systemd", "257.13-1"),
        ("nix", "unknown"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let known = read(&row("names::sibling", &format!("{when:?}"), "2026-12-31")).expect("sound");
    let expected = if counts { "expected-failure" } else { "failed" };
    let judged = known.judge("names::sibling", &facts, failed());
    assert_eq!(judged.word(), expected);
}

#[test]
fn a_failure_at_another_assertion_is_another_bug() {
    let at = |assertion: &str| {
        let text = row("names::sibling", "", "2026-12-31");
        read(&format!("{text}assertion = {assertion:?}\n")).expect("sound")
    };
    let here = at("it is so");
    assert_eq!(word(&here, "names::sibling", failed()), "expected-failure");
    assert_eq!(
        word(&here, "names::sibling", Verdict::Passed),
        "unexpected-pass"
    );
    let elsewhere = at("the lease");
    assert_eq!(word(&elsewhere, "names::sibling", failed()), "failed");
}
