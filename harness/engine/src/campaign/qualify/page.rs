//! A qualification as one page: the cases, what was not as expected, what was known, what was left out and
//! why, on what it ran, and the one sentence.

use super::{
    CaseOutcome, CaseReport, Qualification, claims,
    overview::{Group, Overview, columns, dimensions, word},
};
use crate::{
    report::{
        document::{Block, Column, Document, Field, Item, Row, Span},
        text::{essence, millis},
    },
    util::text::printable,
};

/// How many scenarios of a group are named, and how many of a finding.
const NAMED: usize = 4;
const NAMED_OF_FINDING: usize = 12;

/// The page of `qualification`.
#[must_use]
pub fn page(qualification: &Qualification) -> Document {
    let Overview {
        sentence,
        what,
        findings,
        missing,
        known,
        skipped,
        excluded,
        images,
    } = Overview::of(qualification);
    let mut page = Document::default();
    page.markdown_only(Block::Title(sentence.clone()));
    page.markdown_only(Block::Paragraph(what.clone().into()));
    let begun = format!("Begun {}.", qualification.started);
    page.markdown_only(Block::Paragraph(begun.into()));
    page.push(cases(qualification));
    claims::add(&mut page, qualification);

    let list = missing.iter().map(|(name, why)| {
        let name = Span::Code((*name).to_owned());
        Item::of([name, format!(": {why}").into()])
    });
    page.section(
        "incomplete",
        missing.is_empty(),
        Block::List(list.collect()),
    );
    let list = findings.iter().map(|finding| {
        let verdict = &finding.record.verdict;
        let names = some(&finding.scenarios, NAMED_OF_FINDING);
        let evidence = finding.case.folder.join(&finding.record.evidence);
        let code = |text: String| Span::Code(text);
        Item {
            texts: vec![
                Span::Strong(verdict.word().into()),
                format!(" {names}").into(),
            ],
            fields: [
                ("in", Span::from(finding.cases.as_str()), Some(" in ")),
                ("seen", essence(verdict).into(), Some(": ")),
                ("evidence", code(evidence.into_string()), None),
                ("again", code(finding.record.again.clone()), None),
            ]
            .map(|(label, value, joint)| Field {
                label,
                value,
                joint,
            })
            .into(),
        }
    });
    let list = Block::List(list.collect());
    page.section("not as expected", findings.is_empty(), list);
    let trackers = groups("tracker", &known, |why| Span::Link(why.to_owned()));
    page.section("expected to fail", known.is_empty(), trackers);
    let reasons = groups("why", &skipped, |why| why.into());
    page.section("skipped", skipped.is_empty(), reasons);
    let list = excluded
        .iter()
        .map(|(when, why)| Item::of([format!("{when}: {why}").into()]));
    let list = Block::List(list.collect());
    page.section("left out of the matrix", excluded.is_empty(), list);
    page.section("images", images.is_empty(), versions(&images));
    page.terminal_only(Block::Lines(vec![what, sentence]));
    page
}

/// A row for each case.
fn cases(qualification: &Qualification) -> Block {
    let dimensions = dimensions(qualification);
    let mut columns: Vec<Column> = dimensions.iter().map(|name| Column::text(name)).collect();
    columns.extend([
        Column::number("passed", "passed"),
        Column::number("not as expected", "other"),
        Column::number("expected to fail", "known"),
        Column::number("skipped", "skipped"),
        Column::number("time", "time"),
        Column::text("verdict"),
    ]);
    let row = |case: &CaseReport| {
        let value = |name: &&str| Span::Plain(case.values.get(*name).cloned().unwrap_or_default());
        let mut cells: Vec<Span> = dimensions.iter().map(value).collect();
        cells.extend(self::columns(case).map(|count| Span::Plain(count.to_string())));
        cells.push(millis(case.took_ms).into());
        cells.push(match case.outcome() {
            CaseOutcome::AsExpected => word(case).into(),
            _ => Span::Strong(word(case).to_owned()),
        });
        Row::of(cells)
    };
    Block::Table {
        rows: qualification.cases.iter().map(row).collect(),
        columns,
    }
}

/// A row for each of `groups`, whose reasons are in the column `first`.
fn groups(first: &str, groups: &[Group<'_>], why: fn(&str) -> Span) -> Block {
    let row = |group: &Group<'_>| {
        let names = some(&group.scenarios, NAMED);
        Row {
            lines: vec![
                printable(&group.why),
                format!("  {names}, in {}", group.cases),
            ],
            cells: vec![why(&group.why), names.into(), group.cases.as_str().into()],
        }
    };
    Block::Table {
        columns: [first, "scenarios", "cases"].map(Column::text).into(),
        rows: groups.iter().map(row).collect(),
    }
}

/// A row for each image.
fn versions(images: &[[String; 5]]) -> Block {
    let row = |cells: &[String; 5]| {
        let [image, systemd, nix, kernel, guests] = cells;
        let guests = match guests.as_str() {
            "" => String::new(),
            guests => format!("; guests {guests}"),
        };
        Row {
            lines: vec![format!(
                "{image}: systemd {systemd}, nix {nix}, kernel {kernel}{guests}"
            )],
            cells: cells.iter().map(|cell| cell.as_str().into()).collect(),
        }
    };
    Block::Table {
        columns: ["image", "systemd", "nix", "kernel", "guests"]
            .map(Column::text)
            .into(),
        rows: images.iter().map(row).collect(),
    }
}

/// All of `names` if they are at most `most`, else some and how many more.
fn some(names: &[&str], most: usize) -> String {
    if names.len() <= most {
        return names.join(", ");
    }
    let first = names[..most - 1].join(", ");
    format!("{first} and {} more", names.len() - (most - 1))
}
