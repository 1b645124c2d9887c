//! A comparison as one page: a line for each scenario, with the evidence of both sides where the change
//! made a difference, and the one sentence.

use super::{Compared, Comparison, Effect, SideReport, evidence::evidence};
use crate::{
    report::document::{Block, Column, Document, Item, Row, Span},
    util::text::printable,
};

/// The page of `comparison`. In Markdown it is a comment below a pull request.
#[must_use]
pub fn page(comparison: &Comparison) -> Document {
    let overall = &comparison.overall;
    let sides = [("base", &comparison.base), ("change", &comparison.change)];
    let error = overall.error.as_deref();
    let mut page = Document::default();

    page.markdown_only(Block::Paragraph(Span::Strong(overall.sentence.clone())));
    let mut list: Vec<Item> = sides.map(side).into();
    let notes = comparison.shared.iter().cloned();
    let notes = notes.chain(error.map(|error| format!("error: {error}")));
    list.extend(notes.map(|note| Item::of([note.into()])));
    page.markdown_only(Block::List(list));

    let lines = sides.iter().flat_map(|(name, side)| {
        let os = os(side).map(|os| format!("        on {}", printable(os)));
        [Some(format!("{name:<7} {}", variables(side))), os]
    });
    page.terminal_only(Block::Lines(lines.flatten().collect()));
    if !comparison.scenarios.is_empty() {
        page.push(scenarios(comparison));
    }
    let told = comparison.scenarios.iter();
    for compared in told.filter(|compared| compared.effect.is_telling()) {
        page.markdown_only(Block::Details {
            summary: format!("{}: {}", compared.effect.word(), compared.name),
            claim: compared.claim.clone(),
            lines: evidence(compared),
        });
    }

    if let Some(error) = error {
        let line = format!("error        {}", printable(error));
        page.terminal_only(Block::Lines(vec![line]));
    }
    let mut end: Vec<String> = comparison
        .shared
        .iter()
        .map(|line| printable(line))
        .collect();
    let counts = counts(comparison);
    if !counts.is_empty() {
        page.terminal_only(Block::Lines(std::mem::take(&mut end)));
        end.push(counts);
    }
    end.push(overall.sentence.clone());
    page.terminal_only(Block::Lines(end));
    page
}

/// The variables of `side`, or what it is without any.
pub(super) fn variables(side: &SideReport) -> String {
    if side.variables.is_empty() {
        "the defaults".to_owned()
    } else {
        side.variables.join(" ")
    }
}

/// What the hosts of `side` call themselves, if that is known.
fn os(side: &SideReport) -> Option<&str> {
    let versions = &side.environment.as_ref()?.versions;
    versions.get("os").map(String::as_str)
}

/// A side with what it ran on.
fn side((name, side): (&str, &SideReport)) -> Item {
    let mut texts = vec![format!("{name}: ").into(), Span::Code(variables(side))];
    if let Some(environment) = &side.environment {
        let systemd = environment.versions.get("systemd");
        let accelerator = environment.accelerator.split(' ').next();
        let parts = [
            Some(environment.image.clone()),
            os(side).map(str::to_owned),
            Some(format!("systemd {}", systemd.map_or("?", String::as_str))),
            accelerator.map(str::to_owned),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        texts.push(format!(" on {}", parts.join(", ")).into());
    }
    Item::of(texts)
}

/// How many scenarios of each effect.
fn counts(comparison: &Comparison) -> String {
    let counts = comparison.overall.counts.iter();
    let words: Vec<String> = counts
        .map(|(word, count)| format!("{count} {word}"))
        .collect();
    words.join(", ")
}

/// A row for each scenario.
fn scenarios(comparison: &Comparison) -> Block {
    let repeat = comparison.repeat;
    let row = |compared: &Compared| {
        let Compared {
            effect,
            base,
            change,
            ..
        } = compared;
        let word = effect.word();
        let rate = |passed: u32| format!("{passed} of {repeat}");
        let (told, rates) = match effect {
            Effect::Skipped { why } | Effect::Undecided { why } => (
                format!(": {}", printable(why)),
                [String::new(), String::new()],
            ),
            _ => {
                let rates = [rate(base.passed), rate(change.passed)];
                let known = compared.known_for();
                let known = known.map_or_else(String::new, |known| format!("; {known}"));
                let told = format!(" (passed: base {}, change {}{known})", rates[0], rates[1]);
                (told, rates)
            }
        };
        let mut lines = vec![format!("{word:<12} {}{told}", compared.name)];
        if effect.is_telling() {
            let evidence = evidence(compared).into_iter();
            lines.extend(evidence.map(|line| format!("    {line}")));
        }
        let effect = match effect {
            Effect::Skipped { why } | Effect::Undecided { why } => format!("{word}: {why}").into(),
            Effect::Fixed | Effect::Broken | Effect::Flaky => Span::Strong(word.to_owned()),
            _ => match compared.known_for() {
                Some(known) => format!("{word} ({known})").into(),
                None => word.into(),
            },
        };
        let hops: Vec<String> = compared.hops.iter().map(ToString::to_string).collect();
        let [base, change] = rates.map(Span::from);
        let name = Span::Code(compared.name.clone());
        Row {
            cells: vec![name, effect, base, change, hops.join(", ").into()],
            lines,
        }
    };
    Block::Table {
        columns: ["scenario", "effect", "base", "change", "hop"]
            .map(Column::text)
            .into(),
        rows: comparison.scenarios.iter().map(row).collect(),
    }
}
