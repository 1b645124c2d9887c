//! A qualification as one page for whoever decides about the release.

use std::fmt::Write as _;

use super::{
    Qualification,
    page::{Page, columns, dimensions, word},
    text::{NAMED_OF_FINDING, named, some},
};
use crate::{
    campaign::verify::markdown::escaped,
    report::text::{essence, millis},
};

/// The one sentence first, then the cases, then what a reader has to know of them.
#[must_use]
pub fn render(qualification: &Qualification) -> String {
    let page = Page::of(qualification);
    let mut out = format!(
        "# {}\n\n{}\n\nBegun {}.\n\n",
        escaped(&page.sentence),
        escaped(&page.what),
        qualification.started
    );
    cases(qualification, &mut out);
    if !page.missing.is_empty() {
        out += "\n## Incomplete\n\n";
        for (name, why) in &page.missing {
            let _ = writeln!(out, "- `{name}`: {}", escaped(why));
        }
    }
    if !page.findings.is_empty() {
        out += "\n## Not as expected\n\n";
        for finding in &page.findings {
            let record = finding.record;
            let _ = writeln!(
                out,
                "- **{}** {} in {}: {}\n  - evidence: `{}`\n  - again: `{}`",
                record.verdict.word(),
                escaped(&some(&finding.scenarios, NAMED_OF_FINDING)),
                escaped(&finding.cases),
                escaped(&essence(&record.verdict)),
                finding.case.folder.join(&record.evidence),
                record.again
            );
        }
    }
    if !page.known.is_empty() {
        out += "\n## Expected to fail\n\n| tracker | scenarios | cases |\n| --- | --- | --- |\n";
        for group in &page.known {
            let (names, cases) = (escaped(&named(group)), escaped(&group.cases));
            let _ = writeln!(out, "| <{}> | {names} | {cases} |", group.why);
        }
    }
    if !page.skipped.is_empty() {
        out += "\n## Skipped\n\n| why | scenarios | cases |\n| --- | --- | --- |\n";
        for group in &page.skipped {
            let (names, cases) = (escaped(&named(group)), escaped(&group.cases));
            let _ = writeln!(out, "| {} | {names} | {cases} |", escaped(&group.why));
        }
    }
    if !page.excluded.is_empty() {
        out += "\n## Left out of the matrix\n\n";
        for (when, why) in &page.excluded {
            let _ = writeln!(out, "- {}: {}", escaped(when), escaped(why));
        }
    }
    if !page.images.is_empty() {
        out += "\n## Images\n\n| image | systemd | nix | kernel | guests |\n| --- | --- | --- | --- | --- |\n";
        for image in &page.images {
            let cells: Vec<String> = image.iter().map(|cell| escaped(cell)).collect();
            let _ = writeln!(out, "| {} |", cells.join(" | "));
        }
    }
    out
}

fn cases(qualification: &Qualification, out: &mut String) {
    let dimensions = dimensions(qualification);
    let mut head = String::new();
    let mut rule = String::new();
    for name in &dimensions {
        let _ = write!(head, "| {name} ");
        rule += "| --- ";
    }
    let _ = writeln!(
        out,
        "{head}| passed | not as expected | expected to fail | skipped | time | verdict |\n{rule}| ---: | ---: | ---: | ---: | ---: | --- |"
    );
    for case in &qualification.cases {
        for name in &dimensions {
            let value = case.values.get(*name).map_or("", String::as_str);
            let _ = write!(out, "| {} ", escaped(value));
        }
        let [passed, others, known, skipped] = columns(case);
        let word = match word(case) {
            word @ "as expected" => word.to_owned(),
            word => format!("**{word}**"),
        };
        let _ = writeln!(
            out,
            "| {passed} | {others} | {known} | {skipped} | {} | {word} |",
            millis(case.took_ms)
        );
    }
}
