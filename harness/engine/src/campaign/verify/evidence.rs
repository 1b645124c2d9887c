//! What tells the sides of one scenario apart, as lines.

use super::{Compared, Observed, Runs};
use crate::{
    diagnose::Condition,
    report::text::essence,
    util::text::printable,
    verdict::{Verdict, hop::Hop},
};

/// The hops whose condition is shown for a changed scenario besides those that changed.
const TOLD: [Hop; 3] = [Hop::Link, Hop::Firewall, Hop::Lease];

/// How many lines of a failure are shown; all are in `verify.json`.
const LINES: usize = 3;

/// What tells the sides apart, a line each: the hops, and for each side what failed, its links and
/// leases, and the counters of its rules.
pub(super) fn evidence(compared: &Compared) -> Vec<String> {
    let mut lines = vec![];
    if !compared.hops.is_empty() {
        let hops: Vec<String> = compared.hops.iter().map(ToString::to_string).collect();
        lines.push(format!(
            "{}: hops {}",
            compared.effect.word(),
            hops.join(", ")
        ));
    }
    for (name, runs) in [("base", &compared.base), ("change", &compared.change)] {
        let mut said = said(runs);
        said.extend(hops(&runs.observed, &compared.hops));
        said.extend(runs.observed.facts.iter().map(|fact| printable(fact)));
        lines.extend(said.into_iter().map(|line| format!("{name:<6}  {line}")));
        if let Some(record) = runs.records.first() {
            lines.push(format!("{name:<6}  evidence: {}", record.evidence));
        }
    }
    lines.push(format!("again: {}", compared.again));
    lines
}

/// What the runs that did not pass came to, each kind once.
fn said(runs: &Runs) -> Vec<String> {
    let mut said: Vec<String> = vec![];
    let mut kinds = vec![];
    for record in &runs.records {
        if record.verdict == Verdict::Passed {
            continue;
        }
        // Runs that failed alike differ in what they saw last; one of them is enough to read.
        let kind = kind(&record.verdict);
        if kinds.contains(&kind) {
            continue;
        }
        kinds.push(kind);
        let line = format!("{}: {}", record.verdict.word(), essence(&record.verdict));
        said.push(line);
        if let Verdict::Failed(failure) = &record.verdict {
            let lines = failure.lines.iter().take(LINES);
            said.extend(lines.map(|line| format!("  | {}", printable(line))));
        }
    }
    said
}

/// What makes two verdicts alike for a reader: the word, and the assertion or the wait.
fn kind(verdict: &Verdict) -> (&'static str, &str) {
    let what = match verdict {
        Verdict::Failed(failure) => failure.assertion.as_str(),
        Verdict::TimedOut { phase, .. } => phase,
        _ => "",
    };
    (verdict.word(), what)
}

fn hops(observed: &Observed, changed: &[Hop]) -> Vec<String> {
    let told = |hop: &Hop| changed.contains(hop) || TOLD.contains(hop);
    let steps = observed.diagnosis.iter().filter(|step| told(&step.hop));
    steps
        .map(|step| {
            let condition = match step.condition {
                Condition::Ok => "whole",
                Condition::Broken => "broken",
                Condition::Unknown => "unknown",
            };
            format!("{} {condition}: {}", step.hop, printable(&step.seen))
        })
        .collect()
}
