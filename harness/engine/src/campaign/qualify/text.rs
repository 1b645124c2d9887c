//! A qualification for people on a terminal.

use std::fmt::Write as _;

use super::{
    Qualification,
    page::{Group, Page, columns, dimensions, word},
};
use crate::report::text::{essence, millis};
use crate::util::text::printable;

/// How many scenarios of a group are named, and how many of a finding.
const NAMED: usize = 4;
pub(super) const NAMED_OF_FINDING: usize = 12;

/// The page: a line for each case, what was not as expected, what was known, what was left out and
/// why, on what it ran, and the one sentence at the end.
#[must_use]
pub fn render(qualification: &Qualification) -> String {
    let page = Page::of(qualification);
    let mut text = cases(qualification);
    if !page.missing.is_empty() {
        text += "\nincomplete\n";
        for (name, why) in &page.missing {
            let _ = writeln!(text, "  {name}: {}", printable(why));
        }
    }
    if !page.findings.is_empty() {
        text += "\nnot as expected\n";
        for finding in &page.findings {
            let record = finding.record;
            let verdict = &record.verdict;
            let names = some(&finding.scenarios, NAMED_OF_FINDING);
            let _ = writeln!(text, "  {} {names}", verdict.word());
            let evidence = finding.case.folder.join(&record.evidence);
            for (label, value) in [
                ("in", finding.cases.as_str()),
                ("seen", &essence(verdict)),
                ("evidence", evidence.as_str()),
                ("again", &record.again),
            ] {
                let _ = writeln!(text, "    {label:<8}  {}", printable(value));
            }
        }
    }
    for (title, groups) in [
        ("expected to fail", &page.known),
        ("skipped", &page.skipped),
    ] {
        if !groups.is_empty() {
            let _ = writeln!(text, "\n{title}");
            for group in groups {
                let _ = writeln!(text, "  {}", printable(&group.why));
                let _ = writeln!(text, "    {}, in {}", named(group), group.cases);
            }
        }
    }
    if !page.excluded.is_empty() {
        text += "\nleft out of the matrix\n";
        for (when, why) in &page.excluded {
            let _ = writeln!(text, "  {when}: {}", printable(why));
        }
    }
    if !page.images.is_empty() {
        text += "\nimages\n";
        for [image, systemd, nix, kernel, guests] in &page.images {
            let _ = write!(
                text,
                "  {image}: systemd {systemd}, nix {nix}, kernel {kernel}"
            );
            if !guests.is_empty() {
                let _ = write!(text, "; guests {guests}");
            }
            text.push('\n');
        }
    }
    let _ = writeln!(text, "\n{}\n{}", page.what, page.sentence);
    text
}

fn cases(qualification: &Qualification) -> String {
    let dimensions = dimensions(qualification);
    let mut rows: Vec<Vec<String>> = vec![];
    let mut head: Vec<String> = dimensions.iter().map(|name| (*name).to_owned()).collect();
    head.extend(["passed", "other", "known", "skipped", "time", "verdict"].map(str::to_owned));
    rows.push(head);
    for case in &qualification.cases {
        let value = |name: &&str| case.values.get(*name).cloned().unwrap_or_default();
        let mut row: Vec<String> = dimensions.iter().map(value).collect();
        row.extend(columns(case).map(|count| count.to_string()));
        row.extend([millis(case.took_ms), word(case).to_owned()]);
        rows.push(row);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..rows[0].len()).filter_map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, width))| {
                // Numbers stand under each other by their ends.
                if (dimensions.len()..dimensions.len() + 5).contains(&column) {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                }
            });
        let line = cells.collect::<Vec<_>>().join("  ");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// The scenarios of `group`: all of a few, else some and how many more.
pub(super) fn named(group: &Group<'_>) -> String {
    some(&group.scenarios, NAMED)
}

/// All of `names` if they are at most `most`, else some and how many more.
pub(super) fn some(names: &[&str], most: usize) -> String {
    if names.len() <= most {
        return names.join(", ");
    }
    let first = names[..most - 1].join(", ");
    format!("{first} and {} more", names.len() - (most - 1))
}
