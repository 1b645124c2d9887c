//! A comparison as a comment below a pull request.

use std::fmt::Write as _;

use super::{Comparison, Effect, text};
use crate::util::text::printable;

/// The one line first, then a table, then the evidence of every changed verdict, folded.
#[must_use]
pub fn render(comparison: &Comparison) -> String {
    let mut out = format!("**{}**\n\n", escaped(&comparison.overall.sentence));
    let sides = [("base", &comparison.base), ("change", &comparison.change)];
    for (name, side) in sides {
        let _ = write!(out, "- {name}: `{}`", text::variables(side));
        if let Some(environment) = &side.environment {
            let versions = &environment.versions;
            let version = |program| versions.get(program).map_or("?", String::as_str);
            let os = text::os(side).map(|os| format!(", {}", escaped(os)));
            let _ = write!(
                out,
                " on {}{}, systemd {}, {}",
                environment.image,
                os.unwrap_or_default(),
                version("systemd"),
                environment
                    .accelerator
                    .split(' ')
                    .next()
                    .unwrap_or_default()
            );
        }
        out.push('\n');
    }
    let repeat = comparison.repeat;
    for line in &comparison.shared {
        let _ = writeln!(out, "- {}", escaped(line));
    }
    if let Some(error) = &comparison.overall.error {
        let _ = writeln!(out, "- error: {}", escaped(error));
    }
    if comparison.scenarios.is_empty() {
        return out;
    }
    let _ = writeln!(
        out,
        "\n| scenario | effect | base | change | hop |\n| --- | --- | --- | --- | --- |"
    );
    for compared in &comparison.scenarios {
        let (base, change) = match &compared.effect {
            Effect::Skipped { .. } | Effect::Undecided { .. } => (String::new(), String::new()),
            _ => (
                format!("{} of {repeat}", compared.base.passed),
                format!("{} of {repeat}", compared.change.passed),
            ),
        };
        let hops: Vec<String> = compared.hops.iter().map(ToString::to_string).collect();
        let effect = match &compared.effect {
            Effect::Skipped { why } | Effect::Undecided { why } => {
                format!("{}: {}", compared.effect.word(), escaped(why))
            }
            Effect::Fixed | Effect::Broken | Effect::Flaky => {
                format!("**{}**", compared.effect.word())
            }
            effect => effect.word().to_owned(),
        };
        let _ = writeln!(
            out,
            "| `{}` | {effect} | {base} | {change} | {} |",
            compared.name,
            hops.join(", ")
        );
    }
    let told = comparison
        .scenarios
        .iter()
        .filter(|compared| compared.effect.is_telling());
    for compared in told {
        let _ = writeln!(
            out,
            "\n<details><summary>{}: {}</summary>\n\n{}\n\n```text\n{}\n```\n\n</details>",
            compared.effect.word(),
            compared.name,
            escaped(&compared.claim),
            text::evidence(compared).join("\n").replace("```", "'''")
        );
    }
    out
}

/// `text` in one table cell, with nothing that Markdown or HTML would read.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in printable(text).chars() {
        match c {
            '\n' => out.push(' '),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' => out.extend(['\\', c]),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            c => out.push(c),
        }
    }
    out
}
