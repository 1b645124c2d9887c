//! Hosts that were broken one way each, recorded, and judged here as they were then. `recorded/` is what
//! `SPAWNLAB_FAULTS_RECORD` of the test `faults` writes, without what nothing here reads.

use super::*;
use crate::verdict::hop::Hop;

fn recorded(name: &str) -> Diagnosis {
    let file = format!(
        "{}/src/diagnose/recorded/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = fs_err::read(file).unwrap();
    Diagnosis::of(serde_json::from_slice(&text).unwrap())
}

#[rstest::rstest]
#[case("host-unit-failed", Hop::Unit)]
#[case("guest-dead", Hop::Guest)]
#[case("link-down", Hop::Link)]
#[case("dhcp-dropped", Hop::Firewall)]
#[case("no-route", Hop::Route)]
#[case("name-stale", Hop::Name)]
#[case("port-closed", Hop::Port)]
#[case("service-dead", Hop::Service)]
#[case("not-deployed", Hop::Profile)]
#[case("unit-stopped", Hop::Unit)]
#[case("machine-unregistered", Hop::Machine)]
#[case("guest-frozen", Hop::Guest)]
#[case("guest-bus-down", Hop::Guest)]
#[case("guest-link-down", Hop::Link)]
#[case("link-gone", Hop::Link)]
#[case("mtu-nonsense", Hop::Link)]
#[case("firewall-closed", Hop::Firewall)]
#[case("no-dhcp-server", Hop::Lease)]
#[case("address-lost", Hop::Lease)]
#[case("address-of-another-network", Hop::Lease)]
#[case("address-conflict-on-the-host", Hop::Route)]
#[case("address-conflict-in-the-guest", Hop::Route)]
#[case("wrong-netmask", Hop::Route)]
#[case("no-arp", Hop::Route)]
#[case("guest-resolver-stopped", Hop::Name)]
#[case("listens-locally-only", Hop::Port)]
#[case("service-stopped", Hop::Service)]
#[case("service-dead+port-closed", Hop::Port)]
fn a_broken_hop_is_named_with_its_facts(#[case] name: &str, #[case] hop: Hop) {
    let diagnosis = recorded(name);
    assert_eq!(diagnosis.broken().map(|step| step.hop), Some(hop));
    let lines = diagnosis.explanation();
    assert!(lines.len() <= 10, "{lines:#?}");
    assert!(lines[0].starts_with(&format!("web is broken at the hop {hop}: ")));
    insta::assert_snapshot!(format!("explained_{name}"), lines.join("\n"));
}

#[test]
fn a_sound_host_is_called_sound() {
    let diagnosis = recorded("sound");
    insta::assert_snapshot!(diagnosis.explanation().join("\n"), @r"
    web is sound: no hop of the way to it is broken
    whole: host, declaration, profile, unit, machine, guest, link, firewall, lease, route, name, port, service
    ");
}

#[test]
fn a_host_that_does_not_answer_is_the_broken_hop_and_nothing_is_guessed() {
    let diagnosis = Diagnosis::of_silent_host(&Endpoint::to("web"), "guest agent: no answer");
    assert_eq!(diagnosis.broken().map(|step| step.hop), Some(Hop::Host));
    let unknown = diagnosis
        .steps
        .iter()
        .filter(|step| step.condition == Condition::Unknown);
    assert_eq!(unknown.count(), Hop::ALL.len() - 1);
    insta::assert_snapshot!(diagnosis.explanation().join("\n"));
}

#[test]
fn a_service_that_hangs_or_fails_is_not_the_ports_fault() {
    let mut facts = recorded("sound").facts;
    let fetched = |text: &str| Fact {
        status: 28,
        said: text.to_owned(),
    };
    let hangs = r#"{"exitcode":28,"errormsg":"Operation timed out","http_code":0,"time_connect":0.01,"remote_ip":null}"#;
    facts.facts.insert("by-address".into(), fetched(hangs));
    let diagnosis = Diagnosis::of(facts.clone());
    insta::assert_snapshot!(diagnosis.explanation()[0], @"web is broken at the hop service: it takes connections and does not answer them");
    let fails = r#"{"exitcode":0,"errormsg":null,"http_code":502,"time_connect":0.01,"remote_ip":"192.168.0.1"}"#;
    facts.facts.insert("by-address".into(), fetched(fails));
    let diagnosis = Diagnosis::of(facts);
    insta::assert_snapshot!(diagnosis.explanation()[0], @"web is broken at the hop service: it answers HTTP 502");
}

#[test]
fn a_container_that_is_not_there_is_told_with_those_that_are() {
    let facts = "\u{1e}host\n6.12\n\u{1e}0\n\u{1e}unit\nLoadState=loaded\nActiveState=inactive\n\u{1e}0\n\
        \u{1e}roots\nteam\nweb\n\u{1e}0\n\u{1e}machine\nNo machine 'wbe' known\n\u{1e}1\n";
    let diagnosis = Diagnosis::of(Facts::read(&Endpoint::to("wbe"), facts));
    insta::assert_snapshot!(diagnosis.explanation().join("\n"));
}

#[test]
fn of_nothing_nothing_is_guessed() {
    let diagnosis = Diagnosis::of(Facts::read(&Endpoint::to("web"), "rubbish\n\u{1e}"));
    assert_eq!(diagnosis.broken().map(|step| step.hop), Some(Hop::Host));
}

proptest::proptest! {
    #[test]
    fn whatever_is_printed_is_judged(name in "[a-z-]{1,10}", said in "\\PC{0,60}", status in -1..130_i32) {
        let mut facts = recorded("sound").facts;
        for at in ["addresses", "guest-addresses", "networkd", "route", "by-address", "requests", &name] {
            let said = said.clone();
            facts.facts.insert(at.to_owned(), Fact { status, said });
            let diagnosis = Diagnosis::of(facts.clone());
            assert_eq!(diagnosis.steps.len(), Hop::ALL.len());
            assert!(diagnosis.explanation().len() <= 10);
        }
    }
}
