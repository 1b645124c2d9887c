//! The pictures of terminals in `docs/`: a test fails when one of them is not what the lab shows now, and with
//! `SPAWNLAB_PICTURES=write` it writes them.

use camino::Utf8Path;

use super::{
    live_tests::{ended, live_in, scenario, seconds, started},
    picture,
};
use crate::{
    diagnose::Diagnosis,
    verdict::{
        Failure, Verdict,
        event::{Event, Record},
    },
};

/// Compares the picture `name` in `docs/` with `svg`, or writes it.
fn is_fresh(name: &str, svg: &str) {
    let file = Utf8Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name);
    if std::env::var("SPAWNLAB_PICTURES").as_deref() == Ok("write") {
        fs_err::write(&file, svg).expect("written");
    }
    let kept = fs_err::read_to_string(&file).unwrap_or_default();
    assert!(
        kept == svg,
        "docs/{name} is not what the lab shows now; next: SPAWNLAB_PICTURES=write cargo test --release \
         -p spawnlab-engine picture, look at it, and commit it"
    );
}

/// A host whose firewall dropped the guest's requests for a lease, as it was recorded.
fn refused_lease() -> Diagnosis {
    const FACTS: &str = include_str!("../../diagnose/recorded/dhcp-dropped.json");
    Diagnosis::of(serde_json::from_str(FACTS).expect("facts"))
}

/// What a scenario on that host came to.
fn failed() -> Event {
    let diagnosis = refused_lease();
    let failure = Failure {
        assertion: "the lease".into(),
        expected: "an address leased by DHCP within 40s".into(),
        seen: "host0 configuring, degraded: no IPv4 address".into(),
        hop: diagnosis.broken().map(|step| step.hop),
        lines: diagnosis.explanation(),
    };
    let name = "networking::lease_comes_from_the_host";
    Event::ScenarioFinished(Box::new(Record {
        name: name.into(),
        claim:
            "The guest gets its address from the host's DHCP server, not by link-local fallback."
                .into(),
        verdict: Verdict::Failed(failure),
        started: None,
        took_ms: 43_000,
        evidence: "evidence/networking/lease_comes_from_the_host".into(),
        again: format!("ci/lab run --exact {name}"),
    }))
}

#[test]
fn picture_of_a_run() {
    let (window, mut display) = live_in(40, 118, true);
    display.tell_at(&started(12), seconds(0));
    for (name, begin, end) in [
        ("networking::link_is_routable_on_both_ends", 41, 43),
        ("journal::one_unit_is_read_alone", 42, 44),
    ] {
        display.tell_at(&scenario(name), seconds(begin));
        display.tell_at(&ended(name, Verdict::Passed), seconds(end));
    }
    display.tell_at(
        &scenario("networking::lease_comes_from_the_host"),
        seconds(44),
    );
    display.tell_at(&scenario("names::name_is_the_leased_address"), seconds(86));
    display.tell_at(&failed(), seconds(87));
    display.tell_at(&scenario("deploy::deploys_in_a_row"), seconds(88));
    display.tick_at(seconds(95));
    is_fresh("live.svg", &picture::svg(window.parser().screen()));
}

#[test]
fn picture_of_explain() {
    let mut parser = vt100::Parser::new(40, 118, 0);
    parser.process(b"$ ci/lab explain web\r\n");
    // As `spawnlab explain` prints it.
    let text = refused_lease().explanation().join("\r\n");
    parser.process(text.as_bytes());
    is_fresh("explain.svg", &picture::svg(parser.screen()));
}
