//! The picture in `docs/` of a scenario that failed. Its pixels depend on the machine's fonts, so what is compared is
//! the page that it was taken of: `failing-run.sha256` has the digests of both.

use std::{fs, path::Path};

use serde_json::json;
use sha2::{Digest, Sha256};
use spawnlab::{
    diagnose::Diagnosis,
    report::{html, json as run_json},
};

use crate::{browser, show};

const PICTURE: &str = "failing-run.png";
const DIGESTS: &str = "failing-run.sha256";
/// The window's width, in pixels.
const WIDTH: u32 = 800;

/// A host whose firewall dropped the guest's requests for a lease, as it was recorded.
fn refused_lease() -> Diagnosis {
    const FACTS: &str = include_str!("../../src/diagnose/recorded/dhcp-dropped.json");
    Diagnosis::of(serde_json::from_str(FACTS).expect("facts"))
}

/// Makes the report of a scenario on that host in `dir`. Returns the page.
fn make(dir: &Path) -> String {
    let diagnosis = refused_lease();
    let evidence = "evidence/networking/lease_comes_from_the_host";
    let record = json!({
        "name": "networking::lease_comes_from_the_host",
        "claim": "The guest gets its address from the host's DHCP server, not by link-local fallback.",
        "verdict": "failed", "took_ms": 43_000, "evidence": evidence,
        "again": "ci/lab run --exact networking::lease_comes_from_the_host",
        "assertion": "the lease", "expected": "an address leased by DHCP within 40s",
        "seen": "host0 configuring, degraded: no IPv4 address",
        "hop": diagnosis.broken().expect("a broken hop").hop, "lines": diagnosis.explanation(),
    });
    let run = json!({ "version": 1, "started": "2026-03-09T10:00:00Z", "selected": 1, "steps": [], "records": [record] });
    fs::create_dir_all(dir.join(evidence)).expect("a folder");
    let walk = serde_json::to_string(&diagnosis.steps).expect("JSON");
    fs::write(dir.join(evidence).join("walk.json"), walk).expect("written");
    // What makes a folder one with evidence.
    fs::write(dir.join(evidence).join("journal.txt"), "").expect("written");
    let run = run_json::read(&run.to_string()).expect("a run");
    html::write(&run, dir.try_into().expect("UTF-8")).expect("written");
    fs::read_to_string(dir.join("report.html")).expect("readable")
}

/// What of the page the picture shows: how it looks, and the scenario.
fn shown(page: &str) -> String {
    let part = |from: &str, to: &str| {
        let rest = page.split_once(from).expect("a beginning").1;
        rest.split_once(to).expect("an end").0.to_owned()
    };
    let style = part("<style>", "</style>");
    style + &part("<section class=\"card area\">", "</section>")
}

fn digest(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn digests(page: &str, picture: &[u8]) -> String {
    let page = digest(shown(page).as_bytes());
    format!("{page}  page\n{}  {PICTURE}\n", digest(picture))
}

#[test]
fn the_picture_in_the_documentation_is_what_a_page_shows_now() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let folder = tempfile::tempdir().expect("a folder");
    let page = make(folder.path());
    if std::env::var("SPAWNLAB_PICTURES").as_deref() == Ok("write") {
        assert!(
            browser::is_there(),
            "chromium and chromedriver are not here: next: ci/install test"
        );
        let picture = taken(&folder.path().join("report.html"));
        fs::write(docs.join(PICTURE), &picture).expect("written");
        fs::write(docs.join(DIGESTS), digests(&page, &picture)).expect("written");
    }
    let picture = fs::read(docs.join(PICTURE)).expect("a picture");
    let kept = fs::read_to_string(docs.join(DIGESTS)).unwrap_or_default();
    assert!(
        kept == digests(&page, &picture),
        "docs/{PICTURE} is not what a page shows now; next: SPAWNLAB_PICTURES=write cargo test --release \
         -p spawnlab-engine --test page picture, look at it, and commit it with {DIGESTS}"
    );
}

/// The part of the page that has the scenario.
fn taken(page: &Path) -> Vec<u8> {
    let browser = browser::Browser::start();
    show(&browser, page, WIDTH, 900, false, "light");
    browser.run("document.querySelector('.finder').remove(); document.querySelector('.scenario').open = true");
    let bottom = "const shown = document.querySelector('.hops').parentElement.getBoundingClientRect(); \
         const area = document.querySelector('.area').getBoundingClientRect(); \
         return [area.top + scrollY - 10, shown.bottom - area.top + 20]";
    let part = browser.run(bottom);
    browser
        .picture_of(json!({ "x": 0, "y": part[0], "width": WIDTH, "height": part[1], "scale": 1 }))
}
