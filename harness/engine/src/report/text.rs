//! The sentences that all reports share, as pure functions.

use std::fmt::Write as _;

use camino::Utf8Path;

use super::ledger::CLEAN;
use crate::util::text::printable;
use crate::verdict::{
    Failure, Verdict,
    event::{Environment, Record, Summary},
    hop::Hop,
};

/// The order in which counts are told.
pub(super) const WORDS: [&str; 10] = [
    "passed",
    "failed",
    "flaky",
    "unstable",
    "timed-out",
    "infrastructure",
    "unexpected-pass",
    "expected-failure",
    "skipped",
    "interrupted",
];

/// How many of a failure's last lines are shown; all of them are in the evidence.
const LAST_LINES: usize = 20;

/// The head of a report: what the scenarios ran on.
#[must_use]
pub fn head(environment: &Environment) -> String {
    let versions: Vec<String> = environment
        .versions
        .iter()
        .map(|(program, version)| format!("{program} {version}"))
        .collect();
    let mut text = String::new();
    for (label, value) in [
        ("image", environment.image.as_str()),
        ("accelerator", &environment.accelerator),
        ("tool", &environment.tool),
        ("versions", &versions.join(", ")),
    ] {
        field(&mut text, "", label, value);
    }
    for (name, value) in &environment.variables {
        field(&mut text, "", name, value);
    }
    text
}

/// Everything about a record that did not come out as expected: what was claimed, what was seen,
/// which hop broke, the last lines, where the evidence is, and how to run just this again.
#[must_use]
pub fn problem(record: &Record, report_dir: &Utf8Path) -> String {
    let indent = "    ";
    let mut text = String::new();
    let mut field = |label: &str, value: &str| field(&mut text, indent, label, value);
    field("claim", &record.claim);
    let mut lines: &[String] = &[];
    match &record.verdict {
        Verdict::Failed(failure) | Verdict::ExpectedFailure { failure, .. } => {
            let Failure {
                assertion,
                expected,
                seen,
                hop,
                ..
            } = failure;
            field("assertion", assertion);
            field("expected", expected);
            field("seen", seen);
            field(
                "broken hop",
                &hop.map_or_else(|| "none found".to_owned(), broken_hop),
            );
            lines = &failure.lines;
        }
        Verdict::UnexpectedPass { tracker } => {
            field("expected", &format!("to fail, because of {tracker}"));
            field(
                "seen",
                "it passed: if the bug is mended, drop the expectation",
            );
        }
        Verdict::TimedOut {
            phase,
            waited_ms,
            last,
        } => {
            field("waited for", phase);
            field("waited", &millis(*waited_ms));
            field("last seen", last);
        }
        Verdict::Infrastructure { error } => {
            field("error", error);
            field(
                "meaning",
                "the lab itself failed; this says nothing about the claim",
            );
        }
        Verdict::Flaky {
            passed,
            runs,
            others,
        } => {
            field("expected", "one result, however often it is run");
            field("seen", &format!("{passed} of {runs} passed"));
            lines = others;
        }
        Verdict::Unstable { .. } => {
            field(
                "expected",
                "one result on the same inputs, however often it is run",
            );
            field("seen", &essence(&record.verdict));
        }
        Verdict::Skipped { why } => field("why", why),
        Verdict::Passed | Verdict::Interrupted => {}
    }
    if !lines.is_empty() {
        let from = lines.len().saturating_sub(LAST_LINES);
        let _ = writeln!(text, "{indent}last lines");
        for line in &lines[from..] {
            let _ = writeln!(text, "{indent}  | {}", printable(line));
        }
    }
    let mut field = |label: &str, value: &str| self::field(&mut text, indent, label, value);
    field("evidence", report_dir.join(&record.evidence).as_str());
    field("again", &record.again);
    text
}

fn broken_hop(hop: Hop) -> String {
    let before: Vec<String> = Hop::ALL
        .iter()
        .take_while(|other| **other != hop)
        .map(ToString::to_string)
        .collect();
    match before.as_slice() {
        [] => format!("{hop}, the first of the chain"),
        before => format!("{hop} (whole before it: {})", before.join(", ")),
    }
}

/// A verdict in one line; empty where the word says it all.
#[must_use]
pub fn essence(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Passed => String::new(),
        Verdict::Interrupted => "cut short while it ran".into(),
        Verdict::Failed(failure) => one_line(&failure.to_string()),
        Verdict::ExpectedFailure { tracker, .. } => format!("known: {tracker}"),
        Verdict::UnexpectedPass { tracker } => format!("should fail because of {tracker}"),
        Verdict::Flaky { passed, runs, .. } => format!("{passed} of {runs} passed"),
        Verdict::Unstable {
            failures,
            runs,
            clean,
            ..
        } => format!(
            "it passed, but {failures} of {runs} runs failed, on the same inputs, too; {clean} of {CLEAN} in a row the same"
        ),
        Verdict::Skipped { why } => one_line(why),
        Verdict::TimedOut {
            phase, waited_ms, ..
        } => one_line(&format!("waited {} for {phase}", millis(*waited_ms))),
        Verdict::Infrastructure { error } => one_line(error),
    }
}

/// The last line of a report: counts, time, and the report's folder.
#[must_use]
pub fn sums(summary: &Summary, report_dir: &Utf8Path) -> String {
    let known = WORDS.iter().filter_map(|word| {
        let count = summary.counts.get(*word)?;
        Some(format!("{count} {word}"))
    });
    let counts: Vec<String> = known.collect();
    let counts = match (&summary.error, counts.as_slice()) {
        (Some(_), _) => "nothing was run".into(),
        (None, []) => "no scenario ended".into(),
        (None, counts) => counts.join(", "),
    };
    let end = match summary {
        Summary {
            interrupted: true, ..
        } => "interrupted",
        Summary {
            as_expected: true, ..
        } => "all as expected",
        _ => "not as expected",
    };
    format!(
        "{end}: {counts}; {}; report in {report_dir}",
        millis(summary.took_ms)
    )
}

/// A time for people: `250 ms`, `2.1 s`, `3 min 04 s`.
#[must_use]
pub fn millis(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        _ => format!("{} min {:02} s", millis / 60_000, millis % 60_000 / 1_000),
    }
}

pub(crate) fn one_line(text: &str) -> String {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = printable(lines.next().unwrap_or_default());
    if lines.next().is_some() {
        first + " …"
    } else {
        first
    }
}

/// Labels stand in a column of their own, and what has several lines stays in its column.
fn field(text: &mut String, indent: &str, label: &str, value: &str) {
    let value = printable(value);
    let mut lines = value.trim_end().lines();
    let first = lines.next().unwrap_or_default();
    let _ = writeln!(
        text,
        "{}",
        format!("{indent}{label:<11}  {first}").trim_end()
    );
    for line in lines {
        let _ = writeln!(text, "{}", format!("{indent}{:<11}  {line}", "").trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case(0, "0 ms")]
    #[case(999, "999 ms")]
    #[case(1_000, "1.0 s")]
    #[case(2_190, "2.1 s")]
    #[case(59_999, "59.9 s")]
    #[case(60_000, "1 min 00 s")]
    #[case(184_000, "3 min 04 s")]
    fn times(#[case] given: u64, #[case] text: &str) {
        assert_eq!(millis(given), text);
    }

    #[test]
    fn every_verdict_is_counted() {
        use crate::report::sample;
        for record in sample::run().records {
            assert!(
                WORDS.contains(&record.verdict.word()),
                "{}",
                record.verdict.word()
            );
        }
    }
}
