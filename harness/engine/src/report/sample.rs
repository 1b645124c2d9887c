//! A made-up run with every verdict, for the snapshots of all reporters.

use std::time::Duration;

use jiff::Timestamp;

use super::run::Run;
use crate::verdict::{
    Failure, Verdict,
    event::{Environment, Event, Record, RunRequest, Summary},
    hop::Hop,
};

pub(super) const STARTED: &str = "2026-03-09T10:00:00Z";

pub(super) fn run() -> Run {
    let mut run = Run::new(STARTED);
    for event in events() {
        run.apply(&event);
    }
    run
}

pub(super) fn events() -> Vec<Event> {
    let records = records();
    let mut summary = Summary::of(&records, false, Duration::from_millis(184_250));
    summary.interrupted = false;
    let mut events = vec![
        Event::RunStarted {
            selected: records.len(),
            report_dir: "/runs/2026-03-09T11-00-00".into(),
            request: Some(Box::new(RunRequest {
                command: "run".into(),
                options: vec!["--repeat".into(), "3".into()],
                repeat: 3,
                scenarios: records.iter().map(|record| record.name.clone()).collect(),
                again: "spawnlab run --failed".into(),
            })),
        },
        Event::StepStarted {
            step: "image debian/trixie".into(),
        },
        Event::StepFinished {
            step: "image debian/trixie".into(),
            started: after(0),
            took: Duration::from_millis(12),
            result: Ok("reused".into()),
        },
        Event::EnvironmentKnown(environment()),
        Event::StepStarted {
            step: "layer host".into(),
        },
        Event::StepProgress {
            step: "layer host".into(),
            message: "provisioning".into(),
        },
        Event::StepFinished {
            step: "layer host".into(),
            started: after(100),
            took: Duration::from_millis(31_400),
            result: Ok("built".into()),
        },
    ];
    for record in records {
        events.push(Event::ScenarioStarted {
            name: record.name.clone(),
        });
        events.push(Event::ScenarioFinished(Box::new(record)));
    }
    events.push(Event::RunFinished(Box::new(summary)));
    events
}

/// The time that many milliseconds after [`STARTED`].
fn after(millis: u64) -> Timestamp {
    let started: Timestamp = STARTED.parse().expect("a time");
    started + Duration::from_millis(millis)
}

fn environment() -> Environment {
    Environment {
        image: "debian/trixie 3f9c0a51".into(),
        accelerator: "tcg (kvm: /dev/kvm opens, but a guest under it printed nothing for 10s)"
            .into(),
        tool: "/usr/local/bin/nixos-deploy-container (sha256 77e1d0)".into(),
        versions: [
            ("systemd", "257.9"),
            ("nix", "2.26.3"),
            ("kernel", "6.12.57"),
            ("qemu", "10.0.2"),
        ]
        .map(|(program, version)| (program.to_owned(), version.to_owned()))
        .into(),
        variables: std::collections::BTreeMap::new(),
        inputs: None,
    }
}

fn records() -> Vec<Record> {
    let failure = Failure {
        assertion: "the address is a lease".into(),
        expected: "an address in 192.168.163.0/28".into(),
        seen: "169.254.7.9".into(),
        hop: Some(Hop::Firewall),
        lines: vec![
            "systemd-networkd[41]: host0: Gained carrier".into(),
            "\u{1b}[0;1;31msystemd-networkd[41]: host0: DHCPv4 client: no answer\u{1b}[0m".into(),
        ],
    };
    let mut free = [31_600_u64, 31_900];
    let tracker = "https://github.com/systemd/systemd/issues/18229".to_owned();
    let unasked = Failure {
        assertion: "`getent hosts sibling` should succeed".into(),
        expected: "should succeed".into(),
        seen: "exit status 2".into(),
        hop: None,
        lines: vec![],
    };
    [
        ("networking::lease", Verdict::Passed, 2_134),
        ("networking::lease_again", Verdict::Failed(failure), 14_020),
        (
            "names::sibling",
            Verdict::ExpectedFailure {
                tracker: tracker.clone(),
                failure: unasked.clone(),
            },
            1_800,
        ),
        ("names::short", Verdict::UnexpectedPass { tracker }, 950),
        ("names::stranger", Verdict::Failed(unasked), 75_000),
        (
            "names::sometimes",
            Verdict::Flaky {
                passed: 2,
                runs: 3,
                others: vec!["run 2 failed: the name: expected 192.168.163.2, saw nothing".into()],
            },
            9_000,
        ),
        (
            "deploy::rollback",
            Verdict::Skipped {
                why: "the tool makes no promise about it".into(),
            },
            0,
        ),
        (
            "deploy::reboot",
            Verdict::TimedOut {
                phase: "systemd-nspawn@web.service to be active".into(),
                waited_ms: 60_000,
                last: "activating\n(start)".into(),
            },
            63_500,
        ),
        (
            "journal::nonce+no-journal",
            Verdict::Infrastructure {
                error: "qemu: ended with signal 7\nqemu-system-x86_64: no space left on device"
                    .into(),
            },
            5_000,
        ),
        ("journal::stopped", Verdict::Interrupted, 400),
    ]
    .map(|(name, verdict, took_ms)| {
        // Two at once, each lane from one end to the next.
        let lane = usize::from(free[1] < free[0]);
        let started = free[lane];
        free[lane] += took_ms;
        Record {
            name: name.into(),
            claim: "what is claimed is so.".into(),
            verdict,
            started: (took_ms > 0).then(|| after(started).to_string()),
            took_ms,
            evidence: format!("evidence/{}", name.replace("::", "/")).into(),
            again: format!("spawnlab run --exact {name}"),
        }
    })
    .into()
}
