//! The tools of a qualification side by side: a row for each claim, a column for each tool.

use std::collections::BTreeMap;

use super::{CaseReport, Qualification, overview::values};
use crate::{
    report::{
        document::{Block, Column, Document, Row, Span},
        text::one_line,
    },
    scenario::capability::NOT_PROMISED,
    verdict::{Verdict, event::Record},
};

/// The dimension that the columns are of.
const TOOL: &str = "tool";

/// How a tool keeps a claim, the worse the later: of several cases the worst one counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    NotApplicable,
    NotPromised,
    Held,
    Undecided,
    Known,
    Broken(String),
}

impl Standing {
    fn of(verdict: &Verdict) -> Self {
        match verdict {
            _ if verdict.is_left_out() => Self::Undecided,
            Verdict::Passed | Verdict::UnexpectedPass { .. } => Self::Held,
            Verdict::Skipped { why } if why.starts_with(NOT_PROMISED) => Self::NotPromised,
            Verdict::Skipped { .. } => Self::NotApplicable,
            Verdict::ExpectedFailure { .. } => Self::Known,
            Verdict::Failed(failure) => Self::Broken(failure.assertion.clone()),
            Verdict::TimedOut { phase, .. } => Self::Broken(phase.clone()),
            Verdict::Flaky { passed, runs, .. } => {
                Self::Broken(format!("{passed} of {runs} passed"))
            }
            Verdict::Unstable { .. } | Verdict::Infrastructure { .. } | Verdict::Interrupted => {
                Self::Undecided
            }
        }
    }

    /// The word for it, by which it is counted.
    fn word(&self) -> &'static str {
        match self {
            Self::Held => "kept",
            Self::Broken(_) => "broken",
            Self::Known => "broken, known",
            Self::NotPromised => "not promised",
            Self::NotApplicable => "not applicable",
            Self::Undecided => "undecided",
        }
    }

    fn text(&self) -> Span {
        match self {
            Self::Broken(at) => Span::Strong(format!("broken: {}", one_line(at))),
            other => other.word().into(),
        }
    }
}

/// What there is of one claim: its cases, each with what came of it there.
type Judged<'a> = Vec<(&'a CaseReport, Option<&'a Record>)>;

/// Adds the claims by tool to `page`, if there is more than one tool: on a terminal those that are not the same with
/// all tools, in Markdown all of them.
pub(super) fn add(page: &mut Document, qualification: &Qualification) {
    let tools = values(qualification, TOOL);
    if tools.len() < 2 {
        return;
    }
    let rows: Vec<(&str, Vec<Standing>)> = claims(qualification)
        .into_iter()
        .map(|(name, records)| {
            let of = |tool: &&str| kept(&records, tool);
            (name, tools.iter().map(of).collect())
        })
        .collect();
    let differ: Vec<_> = rows
        .iter()
        .filter(|(_, cells)| cells.iter().any(|cell| cell.word() != cells[0].word()))
        .cloned()
        .collect();
    let section = |rows: &[(&str, Vec<Standing>)]| {
        let mut columns = vec![Column::text("claim")];
        columns.extend(tools.iter().map(|tool| Column::text(tool)));
        let lines = rows.iter().map(|(name, cells)| {
            let mut line = vec![Span::Code((*name).to_owned())];
            line.extend(cells.iter().map(Standing::text));
            Row::of(line)
        });
        Block::Table {
            columns,
            rows: lines.collect(),
        }
    };
    let mut on_terminal = Document::default();
    on_terminal.push(sums(&tools, &rows));
    if !differ.is_empty() {
        on_terminal.push(section(&differ));
    }
    let mut in_markdown = Document::default();
    in_markdown.push(sums(&tools, &rows));
    in_markdown.push(section(&rows));
    page.terminal_only(Block::Section("claims by tool", on_terminal));
    page.markdown_only(Block::Section("claims by tool", in_markdown));
}

/// A row for each tool: how many claims it keeps, and so on.
fn sums(tools: &[&str], rows: &[(&str, Vec<Standing>)]) -> Block {
    let words = [
        Standing::Held,
        Standing::Broken(String::new()),
        Standing::Known,
        Standing::NotPromised,
        Standing::NotApplicable,
        Standing::Undecided,
    ]
    .map(|kept| kept.word());
    let mut columns = vec![Column::text(TOOL)];
    columns.extend(words.map(|word| Column::number(word, word)));
    let row = |(number, tool): (usize, &&str)| {
        let mut cells = vec![Span::Code((*tool).to_owned())];
        cells.extend(words.map(|word| {
            let count = rows
                .iter()
                .filter(|(_, cells)| cells[number].word() == word);
            Span::Plain(count.count().to_string())
        }));
        Row::of(cells)
    };
    Block::Table {
        columns,
        rows: tools.iter().enumerate().map(row).collect(),
    }
}

/// The records of each scenario with their cases, scenarios in the order in which they are first told.
fn claims(qualification: &Qualification) -> Vec<(&str, Judged<'_>)> {
    let mut names: Vec<&str> = vec![];
    let mut claims: BTreeMap<&str, Judged<'_>> = BTreeMap::new();
    for planned in &qualification.plan.cases {
        let case = qualification
            .cases
            .iter()
            .find(|case| case.name == planned.name);
        for name in &planned.scenarios {
            if !claims.contains_key(name.as_str()) {
                names.push(name);
            }
            let entry = claims.entry(name).or_default();
            entry.extend(case.map(|case| {
                let record = case.records.iter().find(|record| record.name == *name);
                (case, record)
            }));
        }
    }
    let with = |name| (name, claims.remove(name).unwrap_or_default());
    names.into_iter().map(with).collect()
}

/// How `tool` keeps the claim that has these records. A scenario that was to run with it and did not is undecided,
/// one that was not to run with it says nothing about it.
fn kept(records: &[(&CaseReport, Option<&Record>)], tool: &str) -> Standing {
    let of_tool = records
        .iter()
        .filter(|(case, _)| case.values.get(TOOL).is_some_and(|value| value == tool));
    let judged = of_tool.map(|(_, record)| match record {
        Some(record) => Standing::of(&record.verdict),
        None => Standing::Undecided,
    });
    judged.max().unwrap_or(Standing::NotApplicable)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{letters, markdown, qualification, record, terminal};
    use crate::campaign::case::Case;

    /// Two tools on two images: of the cases with one tool the worst counts.
    #[test]
    fn tools_stand_side_by_side() {
        let mut sample = qualification(&letters(&["pppps", "ppfns", "pppp", "pfee"]), None);
        sample.cases.truncate(4);
        sample.plan.cases.truncate(4);
        let names = [
            "trixie,tool=ours",
            "trixie,tool=./theirs",
            "sid,tool=ours",
            "sid,tool=./theirs",
        ];
        for (number, name) in names.iter().enumerate() {
            let case = &mut sample.cases[number];
            case.name = format!("image={name}");
            case.values = Case::named(&case.name).0.into_iter().collect();
            sample.plan.cases[number].name.clone_from(&case.name);
        }
        // A scenario that did not run, and one that is not for the other tool.
        sample.cases[2].records.pop();
        sample.plan.cases[0].scenarios.push("names::ours".into());
        sample.cases[0].records.push(record("names::ours", 'p'));
        // One that was to run, and an interruption came before.
        sample.plan.cases[1].scenarios.push("names::last".into());
        sample.cases[1].records.push(record("names::last", 'l'));
        insta::assert_snapshot!(terminal(&sample) + "---\n" + &markdown(&sample));
    }
}
