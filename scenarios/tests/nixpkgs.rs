//! The rule sets in `scenarios/rules` against those that a nixpkgs generates of the same options: both are loaded by
//! this machine's tools, each into a network namespace of its own, and what the kernel then has is compared.
//!
//! Ignored unless asked for: it takes `SPAWNLAB_NIXPKGS`, the folder of a nixpkgs, and Nix 2.18 or newer. `ci/test`
//! runs it where that is set.

mod namespace;

use std::{collections::BTreeMap, path::Path, process::Command};

use scenarios::firewall::Firewall;
use serde::Deserialize;

use namespace::in_a_namespace;

/// What `nixos-tests/rules` says of one firewall.
#[derive(Debug, Deserialize)]
struct Generated {
    backend: String,
    /// The tables, or the script that makes them.
    text: String,
}

/// Loads the tables of standard input, and prints what the kernel has of them.
const NFTABLES: &str = "nft --file - && nft --stateless list ruleset";
/// Loads the lines of `scenarios/rules`, and prints what the kernel has.
const OURS: &str = "set -e; rules=$(sed /^@extra$/d)
    printf '%s\\n' \"$rules\" | sed -n -e '/^[*C]/p' -e 's/^46\\{0,1\\} //p' | iptables-restore
    printf '%s\\n' \"$rules\" | sed -n -e '/^[*C]/p' -e 's/^4\\{0,1\\}6 //p' | ip6tables-restore";
/// What the kernel has for both tools.
const LIST: &str = "for tool in iptables ip6tables; do
        for table in filter mangle; do echo \"$tool $table\"; $tool -t $table -S; done
    done";

/// The lines without the counters, which are the lab's own.
fn without_counters(listed: &str) -> String {
    let (mut lines, mut in_counter) = (String::new(), false);
    for line in listed.lines() {
        let trimmed = line.trim();
        if trimmed.starts_with("counter ") && trimmed.ends_with('{') {
            in_counter = true;
        } else if in_counter {
            in_counter = trimmed != "}";
        } else {
            // Of a rule that does something it is a part; one that only counts is the lab's.
            let rule = trimmed.replace(" counter name \"accepted-guests\"", "");
            let counts = rule.contains("counter name \"") || rule.contains("--comment refused-");
            if !counts && !rule.is_empty() {
                lines.push_str(&rule);
                lines.push('\n');
            }
        }
    }
    lines
}

fn generated() -> BTreeMap<String, Generated> {
    let nixpkgs = std::env::var("SPAWNLAB_NIXPKGS").expect("SPAWNLAB_NIXPKGS names a nixpkgs");
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../nixos-tests/rules");
    let rules = rules.canonicalize().expect("it is there");
    let store = tempfile::tempdir().expect("a folder");
    let output = Command::new("nix-instantiate")
        .args(["--eval", "--strict", "--json", "--read-write-mode"])
        .args(["--option", "build-users-group", "", "--expr"])
        .arg(format!(
            "import {} {{ nixpkgs = {nixpkgs}; }}",
            rules.display()
        ))
        .env(
            "NIX_REMOTE",
            format!("local?root={}", store.path().display()),
        )
        .output()
        .expect("nix-instantiate starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).expect("rules by their names")
}

#[test]
#[ignore = "takes SPAWNLAB_NIXPKGS and Nix 2.18"]
fn the_rule_sets_are_those_that_nixpkgs_generates() {
    let generated = generated();
    assert!(generated.len() >= 10, "{:?}", generated.keys());
    let mut differing = String::new();
    for (name, theirs) in &generated {
        let firewall = Firewall::written(name);
        let (theirs, ours) = if theirs.backend == "nftables" {
            let rules = firewall.rules().replace("@extra", "");
            (
                in_a_namespace("bash", NFTABLES, &theirs.text),
                in_a_namespace("bash", NFTABLES, &rules),
            )
        } else {
            // Its first line names an interpreter of the store.
            let script = format!("{}\n{LIST}", theirs.text);
            (
                in_a_namespace("bash", &script, ""),
                in_a_namespace("bash", &format!("{OURS}\n{LIST}"), &firewall.rules()),
            )
        };
        match (theirs, ours) {
            (Ok(theirs), Ok(ours)) => {
                let (theirs, ours) = (without_counters(&theirs), without_counters(&ours));
                assert!(theirs.contains("nixos-fw"), "{name}: {theirs}");
                if theirs != ours {
                    let diff = similar(&theirs, &ours);
                    differing.push_str(&format!("{name}:\n{diff}"));
                }
            }
            // Both are no rule set, for the same reason.
            (Err(theirs), Err(ours)) => {
                assert!(firewall.is_refused(), "{name}: {theirs}\n{ours}");
                for said in [theirs, ours] {
                    assert!(said.contains("unexpected +"), "{name}: {said}");
                }
            }
            (theirs, ours) => panic!("{name}: nixpkgs' {theirs:?}, the lab's {ours:?}"),
        }
    }
    assert!(differing.is_empty(), "- nixpkgs, + the lab\n{differing}");
}

/// The lines that only one of the two has, in their order.
fn similar(theirs: &str, ours: &str) -> String {
    let only = |these: &str, those: &str, sign: &str| {
        let lines = these
            .lines()
            .filter(|line| !those.lines().any(|other| other == *line));
        lines
            .map(|line| format!("{sign} {line}\n"))
            .collect::<String>()
    };
    let lines = only(theirs, ours, "-") + &only(ours, theirs, "+");
    if lines.is_empty() {
        return "the same lines, in another order or another number\n".into();
    }
    lines
}

#[test]
fn counters_of_the_lab_do_not_count() {
    let listed = "table inet x {\n\tcounter refused-guests {\n\t}\n\n\tchain input {\n\t\tudp dport 67 counter name \"accepted-guests\" accept\n\
                  \t\tiifname \"ve-*\" udp dport 67 counter name \"refused-guests\"\n\t}\n}\n-A a -p udp -m comment --comment refused-guests\n";
    assert_eq!(
        without_counters(listed),
        "table inet x {\nchain input {\nudp dport 67 accept\n}\n}\n"
    );
}
