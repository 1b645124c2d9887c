//! What is told of a comparison while it goes on: that a scenario fails is no news, since a base is allowed to.

use crate::{
    report::text::millis,
    util::text::printable,
    verdict::{Verdict, event::Event},
};

/// The line for `event`, if it is worth one. In a `live` view, progress moves below the lines instead.
pub(super) fn line(event: &Event, live: bool) -> Option<String> {
    let line = match event {
        Event::CaseStarted { case } => format!("-- {case}"),
        Event::StepFinished {
            step, took, result, ..
        } => {
            let took = millis(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
            match result {
                Ok(mode) => format!("{mode:<16} {step} ({took})"),
                Err(error) => format!("{:<16} {step} ({took}): {error}", "error"),
            }
        }
        Event::StepProgress { step, message } if !live => format!("{:<16} {step}: {message}", ""),
        Event::EnvironmentKnown(environment) => format!(
            "{:<16} {}, {}, {}, {}",
            "environment",
            environment.image,
            environment.versions.get("os").map_or("", String::as_str),
            environment.accelerator,
            environment.tool
        ),
        Event::ScenarioFinished(record) if !matches!(record.verdict, Verdict::Skipped { .. }) => {
            format!(
                "{:<16} {} ({})",
                record.verdict.word(),
                record.name,
                millis(record.took_ms)
            )
        }
        Event::Interrupted => "interrupted: stopping what runs (once more: stop at once)".into(),
        _ => return None,
    };
    Some(printable(&line))
}
