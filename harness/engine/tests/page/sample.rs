//! A made-up run with its evidence on disk, and some runs before it: everything that a page can show,
//! hostile texts included.

use std::{fmt::Write, path::Path};

use serde_json::{Value, json};

/// What a page must never run, wherever it stands.
pub(crate) const HOSTILE: &str =
    "<script>window.owned = 1</script><img src=x onerror=\"window.owned = 1\">\"'</pre></details>";

/// Makes the folders `runs/2026-03-0N…` and returns the newest one's name.
pub(crate) fn make(runs: &Path) -> &'static str {
    for day in 2..9 {
        let started = format!("2026-03-0{day}T10:00:00Z");
        let dir = runs.join(format!("2026-03-0{day}T11-00-00"));
        std::fs::create_dir_all(&dir).unwrap();
        write(
            &dir.join("run.json"),
            run(&started, 80 + day * 3).to_string(),
        );
    }
    let dir = runs.join("2026-03-09T11-00-00");
    std::fs::create_dir_all(&dir).unwrap();
    let run = run("2026-03-09T10:00:00Z", 100);
    write(&dir.join("run.json"), run.to_string());
    for record in run["records"].as_array().unwrap() {
        evidence(&dir, record);
    }
    "2026-03-09T11-00-00"
}

fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    std::fs::write(path, bytes).unwrap();
}

/// Seconds after the run's beginning as a time.
fn at(started: &str, millis: u64) -> String {
    let start: jiff::Timestamp = started.parse().unwrap();
    (start + std::time::Duration::from_millis(millis)).to_string()
}

const SCENARIOS: [(&str, &str, &str, u64); 16] = [
    (
        "networking::link_is_routable_on_both_ends",
        "The link is routable on the host's end and on the guest's.",
        "passed",
        1_840,
    ),
    (
        "networking::lease_comes_from_the_host",
        "The guest gets its address from the host's DHCP server, not by link-local fallback.",
        "failed",
        14_020,
    ),
    (
        "networking::masquerading_is_set_up",
        "What leaves a container for the world is masqueraded as the host.",
        "passed",
        1_420,
    ),
    (
        "networking::lease_survives_networkd_restart",
        "After a restart of the host's networkd the guest still holds a lease, and can renew it.",
        "passed",
        5_600,
    ),
    (
        "names::name_is_the_leased_address",
        "On the host the container's name resolves to the IPv4 address that it leased, and to no other.",
        "passed",
        1_710,
    ),
    (
        "names::sibling_resolves",
        "A guest resolves the name of its sibling.",
        "expected-failure",
        2_100,
    ),
    (
        "names::long_name_works_the_same",
        "A container whose name is longer than an interface name has a link, a lease, a name and a page all the same.",
        "passed",
        3_300,
    ),
    (
        "journal::hostile_lines_are_only_lines",
        HOSTILE,
        "passed",
        2_600,
    ),
    (
        "journal::one_unit_is_read_alone",
        "With `-u` only what belongs to that unit of the guest is shown.",
        "passed",
        2_200,
    ),
    (
        "deploy::second_deploy_switches_without_restart",
        "A second deploy switches the running guest: it is not restarted, a service that did not change keeps its process, and who requests the page all the while always gets an answer.",
        "passed",
        12_700,
    ),
    (
        "deploy::rollback_brings_the_previous_generation_back",
        "The previous generation comes back on demand, without a restart.",
        "skipped",
        0,
    ),
    (
        "deploy::host_reboot_brings_the_same_generation_back",
        "After a reboot of the host its containers run again, on the generations that they ran before.",
        "timed-out",
        61_000,
    ),
    (
        "run::exit_codes_come_back",
        "The exit status of a command in the guest is the exit status on the host.",
        "passed",
        1_500,
    ),
    (
        "run::dead_guest_is_an_error",
        "A guest that dies under a command is an error, and so is one that is dead: never a success.",
        "flaky",
        9_400,
    ),
    (
        "run::a-name-without-a-place-to-break-a-name-without-a-place-to-break-a-name-without-a-place-to-break",
        "It is shown whole.",
        "passed",
        1_000,
    ),
    (
        "status::host_has_no_failed_units",
        "No unit of the host has failed.",
        "infrastructure",
        4_100,
    ),
];

fn run(started: &str, pace: u64) -> Value {
    let mut free = [46_000_u64, 46_300];
    let mut counts = serde_json::Map::new();
    let mut records = vec![];
    for (number, (name, claim, word, took)) in SCENARIOS.iter().enumerate() {
        let lane = usize::from(free[1] < free[0]);
        let took = took * (pace + (number as u64 * 7) % 23) / 100;
        let mut record = json!({
            "name": name, "claim": claim, "verdict": word, "took_ms": took,
            "evidence": format!("evidence/{}", name.replace("::", "/")),
            "again": format!("ci/lab run --exact {name}"),
        });
        if took > 0 {
            record["started"] = at(started, free[lane]).into();
        }
        free[lane] += took;
        let more = match *word {
            "failed" => failure(),
            "expected-failure" => json!({
                "tracker": "https://github.com/systemd/systemd/issues/18229", "failure": failure(),
            }),
            "skipped" => json!({ "why": "the tool does not promise rolls-back" }),
            "timed-out" => json!({
                "phase": "systemd-nspawn@web.service to be active", "waited_ms": 60_000, "last": "activating\n(start)",
            }),
            "flaky" => json!({
                "passed": 2, "runs": 3, "others": ["run 2 failed: the command whose guest was killed: expected an error, saw Ok"],
            }),
            "infrastructure" => json!({
                "error": "qemu: ended with signal 7\nqemu-system-x86_64: no space left on device",
            }),
            _ => json!({}),
        };
        record
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let count = counts.entry(*word).or_insert(0.into());
        *count = (count.as_u64().unwrap() + 1).into();
        records.push(record);
    }
    json!({
        "version": 1, "started": started, "selected": SCENARIOS.len(),
        "environment": {
            "image": "debian-trixie 236b8f8df58c566f",
            "accelerator": "tcg (KVM is there but unusable: /dev/kvm opens, but a guest under it printed nothing for 10 s)",
            "tool": "target/x86_64-unknown-linux-gnu/release/nixos-deploy-container",
            "versions": {
                "kernel": "6.12.117+deb13-cloud-amd64", "nix": "2.26.3+dfsg-1", "qemu": "10.0.2",
                "spawnlab": "0.1.0", "systemd": "257.13-1~deb13u1",
            },
        },
        "steps": [
            { "step": "image debian-trixie", "started": at(started, 0), "took_ms": 40, "result": "reused" },
            { "step": "layer booted", "started": at(started, 100), "took_ms": 12_600, "result": "built" },
            { "step": "layer host", "started": at(started, 12_800), "took_ms": 9_400, "result": "built" },
            { "step": "layer deployed", "started": at(started, 22_300), "took_ms": 23_100, "result": "built" },
        ],
        "records": records,
        "summary": {
            "counts": counts, "as_expected": false, "interrupted": false,
            "took_ms": free[0].max(free[1]) + 300,
        },
    })
}

fn failure() -> Value {
    json!({
        "assertion": "the lease", "expected": "an address leased by DHCP within 40s",
        "seen": "routable by 169.254.98.125/16 only", "hop": "firewall",
        "lines": ["firewall of web: 3 DHCP requests came over ve-web, none got past the host's filters"],
    })
}

fn evidence(dir: &Path, record: &Value) {
    let word = record["verdict"].as_str().unwrap();
    if word == "skipped" {
        return;
    }
    let folder = dir.join(record["evidence"].as_str().unwrap());
    std::fs::create_dir_all(&folder).unwrap();
    let started = record["started"].as_str().unwrap();
    let took = record["took_ms"].as_u64().unwrap();
    let phases = json!([
        { "phase": "clone", "took_ms": took / 6 }, { "phase": "scenario", "took_ms": took / 2 },
        { "phase": "evidence", "took_ms": took / 8 }, { "phase": "end", "took_ms": took / 20 },
    ]);
    write(&folder.join("phases.json"), phases.to_string());
    write(&folder.join("commands.log"), commands(started));
    let name = record["name"].as_str().unwrap();
    let mut journal = journal(started, if word == "failed" { 4_000 } else { 12 });
    let mut console = String::new();
    if word == "failed" {
        write(&folder.join("walk.json"), diagnosis().to_string());
        write(
            &folder.join("health.txt"),
            "failed unit on web: nginx.service: Failed with result 'exit-code'.\n",
        );
        console = "[   47.900000] ve-web: link becomes ready\nno time here\n".into();
    }
    if name.starts_with("journal::hostile") {
        let _ = writeln!(
            journal,
            "{} web info {HOSTILE}: {HOSTILE}",
            at(started, 900)
        );
        let _ = writeln!(
            journal,
            "{} web err evil[66]: \u{1b}[31mred\u{1b}[0m \u{202e}backwards",
            at(started, 901)
        );
        let _ = writeln!(
            journal,
            "{} web info long[7]: {}",
            at(started, 902),
            "x".repeat(300_000)
        );
        console = format!("{HOSTILE}\n");
    }
    let mut journal = journal.into_bytes();
    journal.extend(b"\xff\xfe is not UTF-8\n");
    write(&folder.join("journal.txt"), journal);
    write(&folder.join("console.log"), console);
}

fn commands(started: &str) -> String {
    let time = |millis| {
        let time: jiff::Timestamp = at(started, millis).parse().unwrap();
        format!("{time:.3}")
    };
    format!(
        "{} $ networkctl --json=short status ve-web\n{{\"Index\":3,\"OperationalState\":\"routable\"}}\n-- exit status 0 after 21 ms\n\n\
         {} $ exec systemd-run -M 'web' --quiet --wait --collect --pipe -- /bin/sh -c '(ip -j -4 address show dev host0\n> )\n> status=$?; echo \"spawnlab-1-0 $status\" >&2; exit $status'\n[]\n-- exit status 0 after 212 ms\n\n\
         {} $ for try in 1 2 3; do\n>     getent ahostsv4 web && break\n> done\n-- exit status 2 after 96 ms\n\n\
         {} $ sleep 600\n-- waited 2m for `exec systemd-run -M web --quiet --wait --collect --pipe --service-type=exec -- /bin/sh -c '(sleep 600)'` to end, last seen: it still ran, and was killed\n\n",
        time(410),
        time(452),
        time(700),
        time(800),
    )
}

fn journal(started: &str, lines: u64) -> String {
    let mut text = format!(
        "# the host booted at {}\n",
        at(started, 0).replace("10:0", "09:5")
    );
    for number in 0..lines {
        let (machine, level, said) = match number % 6 {
            0 => (
                "host",
                "info",
                "systemd-networkd[178]: ve-web: Gained carrier",
            ),
            1 => ("web", "info", "systemd-networkd[38]: host0: Gained IPv6LL"),
            2 => ("host", "notice", "kernel: ve-web: renamed from veth0"),
            3 => (
                "web",
                "warning",
                "systemd-networkd[38]: host0: DHCPv4 client: no answer",
            ),
            4 => (
                "a-container-with-a-long-name",
                "info",
                "systemd[1]: Started steady.service - Keeps its process.",
            ),
            _ => (
                "web",
                "err",
                "nginx[99]: bind() to 0.0.0.0:80 failed (98: Address already in use)",
            ),
        };
        let _ = writeln!(
            text,
            "{} {machine} {level} {said}",
            at(started, 300 + number * 3)
        );
    }
    text
}

fn diagnosis() -> Value {
    let hops = [
        "host",
        "declaration",
        "profile",
        "unit",
        "machine",
        "guest",
        "link",
        "firewall",
        "lease",
        "name",
        "service",
    ];
    hops.iter()
        .enumerate()
        .map(|(number, hop)| match number {
            0..7 => json!({ "hop": hop, "condition": "ok", "seen": format!("{hop}: as it should be") }),
            7 => json!({
                "hop": hop, "condition": "broken", "seen": "3 DHCP requests came over ve-web, none got past the host's filters",
                "facts": ["rule nixos-fw-refuse: 3 packets, 984 bytes", "no rule accepts udp dport 67 on ve-web"],
            }),
            8 => json!({ "hop": hop, "condition": "broken", "seen": "the guest has 169.254.98.125/16" }),
            _ => json!({ "hop": hop, "condition": "unknown", "seen": "not looked at" }),
        })
        .collect()
}
