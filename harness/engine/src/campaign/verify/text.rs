//! A comparison for people on a terminal.

use std::fmt::Write as _;

use super::{Compared, Comparison, Effect, Observed, Runs, SideReport};
use crate::util::text::printable;
use crate::{
    diagnose::Condition,
    report::text::essence,
    verdict::{Verdict, hop::Hop},
};

/// The hops whose condition is shown for a changed scenario besides those that changed.
const TOLD: [Hop; 3] = [Hop::Link, Hop::Firewall, Hop::Lease];

/// How many lines of a failure are shown; all are in `verify.json`.
const LINES: usize = 3;

/// The whole comparison: a line for each scenario, with the evidence of both sides where the change
/// made a difference, and the one line at the end.
#[must_use]
pub fn render(comparison: &Comparison) -> String {
    let mut text = String::new();
    for (name, side) in [("base", &comparison.base), ("change", &comparison.change)] {
        let _ = writeln!(text, "{name:<7} {}", variables(side));
        if let Some(os) = os(side) {
            let _ = writeln!(text, "        on {}", printable(os));
        }
    }
    text.push('\n');
    for compared in &comparison.scenarios {
        let rate = rates(compared, comparison.repeat);
        let _ = writeln!(
            text,
            "{:<12} {}{rate}",
            compared.effect.word(),
            compared.name
        );
        if compared.effect.is_telling() {
            for line in evidence(compared) {
                let _ = writeln!(text, "    {line}");
            }
        }
    }
    if let Some(error) = &comparison.overall.error {
        let _ = writeln!(text, "error        {}", printable(error));
    }
    if !comparison.shared.is_empty() {
        text.push('\n');
    }
    for line in &comparison.shared {
        let _ = writeln!(text, "{}", printable(line));
    }
    let counts = counts(comparison);
    if !counts.is_empty() {
        let _ = writeln!(text, "\n{counts}");
    }
    let _ = writeln!(text, "{}", comparison.overall.sentence);
    text
}

/// The variables of `side`, or what it is without any.
#[must_use]
pub fn variables(side: &SideReport) -> String {
    if side.variables.is_empty() {
        "the defaults".to_owned()
    } else {
        side.variables.join(" ")
    }
}

/// What the hosts of `side` call themselves, if that is known.
pub(super) fn os(side: &SideReport) -> Option<&str> {
    let versions = &side.environment.as_ref()?.versions;
    versions.get("os").map(String::as_str)
}

/// How many scenarios of each effect.
#[must_use]
pub fn counts(comparison: &Comparison) -> String {
    let counts = &comparison.overall.counts;
    let words: Vec<String> = counts
        .iter()
        .map(|(word, count)| format!("{count} {word}"))
        .collect();
    words.join(", ")
}

fn rates(compared: &Compared, repeat: u32) -> String {
    match &compared.effect {
        Effect::Skipped { why } | Effect::Undecided { why } => format!(": {}", printable(why)),
        _ => format!(
            " (passed: base {} of {repeat}, change {} of {repeat})",
            compared.base.passed, compared.change.passed
        ),
    }
}

/// What tells the sides apart, a line each: the hops, and for each side what failed, its links and
/// leases, and the counters of its rules.
#[must_use]
pub fn evidence(compared: &Compared) -> Vec<String> {
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
