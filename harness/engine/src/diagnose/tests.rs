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
#[case("forwarding-off", Hop::Forwarding)]
#[case("uplink-forwarding-off", Hop::Forwarding)]
#[case("forwarding-off-without-an-uplink", Hop::Forwarding)]
#[case("forward-policy-drop", Hop::ForwardFilter)]
#[case("forward-policy-drop-without-an-uplink", Hop::ForwardFilter)]
#[case("forward-dropped", Hop::ForwardFilter)]
#[case("dropped-before-forwarding", Hop::ForwardFilter)]
#[case("masquerade-removed", Hop::Masquerade)]
#[case("uplink-without-carrier", Hop::Uplink)]
#[case("router-silent", Hop::Uplink)]
#[case("name-server-silent", Hop::NameServers)]
#[case("no-name-server", Hop::NameServers)]
#[case("port-not-loaded", Hop::PortForwards)]
#[case("port-of-a-former-address", Hop::PortForwards)]
fn a_broken_hop_is_named_with_its_facts(#[case] name: &str, #[case] hop: Hop) {
    let diagnosis = recorded(name);
    assert_eq!(diagnosis.broken().map(|step| step.hop), Some(hop));
    let lines = diagnosis.explanation();
    assert!(lines.len() <= 10, "{lines:#?}");
    assert!(lines[0].starts_with(&format!("web is broken at the hop {hop}: ")));
    insta::assert_snapshot!(format!("explained_{name}"), lines.join("\n"));
}

/// With a policy that drops what is forwarded a host was called sound: the way out were no hops.
/// <https://github.com/moby/moby/issues/39439>
#[rstest::rstest]
#[case("forward-policy-drop")]
#[case("forward-policy-drop-without-an-uplink")]
fn moby_39439_a_policy_that_drops_what_is_forwarded_is_the_broken_hop(#[case] name: &str) {
    let diagnosis = recorded(name);
    let broken: Vec<Hop> = diagnosis
        .steps
        .iter()
        .filter(|step| step.condition == Condition::Broken)
        .map(|step| step.hop)
        .collect();
    assert_eq!(broken.first(), Some(&Hop::ForwardFilter), "{broken:?}");
    let lines = diagnosis.explanation().join("\n");
    assert!(lines.contains("chain FORWARD: drops"), "{lines}");
}

#[test]
fn a_sound_host_is_called_sound() {
    let diagnosis = recorded("sound");
    insta::assert_snapshot!(diagnosis.explanation().join("\n"), @r"
    web is sound: no hop of the way to it is broken
    whole: host, declaration, profile, unit, machine, guest, link, firewall, lease, route, name, port, service, forwarding, forward-filter, masquerade, port-forwards
    not told: uplink, name-servers (the host has no default route)
    ");
}

#[test]
fn a_sound_host_with_a_way_out_is_whole() {
    let diagnosis = recorded("sound-with-an-uplink");
    let untold = |step: &&Step| step.condition != Condition::Ok;
    assert_eq!(diagnosis.steps.iter().find(untold), None);
}

#[test]
fn a_host_that_is_in_no_other_network_is_not_called_broken_for_it() {
    let mut facts = recorded("sound").facts;
    let nothing = |said: &str| Fact {
        status: 0,
        said: said.to_owned(),
    };
    facts.facts.insert("beyond".into(), nothing(""));
    facts.facts.remove("forwarded");
    let diagnosis = Diagnosis::of(facts);
    assert_eq!(diagnosis.broken(), None);
    insta::assert_snapshot!(diagnosis.explanation()[2], @"not told: forwarding, forward-filter, masquerade (nothing lies beyond the host), uplink (the host has no default route), name-servers (nothing lies beyond the host)");
}

#[test]
fn a_guest_whose_way_out_is_another_router_is_not_judged_by_this_host() {
    let mut facts = recorded("masquerade-removed").facts;
    if let Some(routes) = facts.facts.get_mut("guest-routes") {
        routes.said = r#"[{"dst":"default","gateway":"10.1.1.1","dev":"host0"}]"#.into();
    }
    assert_eq!(Diagnosis::of(facts).broken(), None);
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
        for at in ["addresses", "guest-addresses", "networkd", "route", "by-address", "requests", "beyond", "forwarded", "host-routes", "router",
            "name-servers", "ports", "forwards", "ports-answer", &name] {
            let said = said.clone();
            facts.facts.insert(at.to_owned(), Fact { status, said });
            let diagnosis = Diagnosis::of(facts.clone());
            assert_eq!(diagnosis.steps.len(), Hop::ALL.len());
            assert!(diagnosis.explanation().len() <= 10);
        }
    }
}
