//! What is known of a run so far: the events, folded.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::verdict::event::{self, Environment, Event, Record, RunRequest, Summary};

/// The layout of [`Run`] as it is written. It counts up when a reader of the old one would be misled.
pub const VERSION: u32 = 1;

/// A run, finished or not. See [`super::json`] for the fields as a reader finds them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The layout: [`VERSION`].
    pub version: u32,
    /// When it began, in UTC, as RFC 3339.
    pub started: String,
    /// How many scenarios were selected. Fewer records than that mean a run that was killed.
    pub selected: usize,
    /// What was asked for; absent in runs of `cargo test`, of comparisons and of cases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RunRequest>,
    /// What the scenarios ran on; absent until it is known.
    pub environment: Option<Environment>,
    /// The steps before and between the scenarios, in the order in which they ended.
    pub steps: Vec<RunStep>,
    /// The scenarios that ended, in the order in which they did.
    pub records: Vec<Record>,
    /// The end; absent while the run goes on, and for ever if it was killed.
    pub summary: Option<Summary>,
}

/// A step that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStep {
    /// The step's name.
    pub step: String,
    /// When it began, in UTC, as RFC 3339; absent in runs of before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// What came of it, such as `built` or `reused`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// Why it failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Run {
    /// A run that began at `started` (RFC 3339) and of which nothing is known yet.
    pub fn new(started: impl Into<String>) -> Self {
        Self {
            version: VERSION,
            started: started.into(),
            selected: 0,
            request: None,
            environment: None,
            steps: vec![],
            records: vec![],
            summary: None,
        }
    }

    /// The names of the scenarios that are still to come out as expected: those that did not, and those that
    /// were asked for and never ran to their end.
    #[must_use]
    pub fn unfinished(&self) -> Vec<&str> {
        let wanted = self.request.as_ref();
        event::unfinished(&self.records, wanted.map_or(&[], |one| &one.scenarios))
    }

    /// Takes in `event`; returns whether anything here changed.
    pub fn apply(&mut self, event: &Event) -> bool {
        match event {
            Event::RunStarted {
                selected, request, ..
            } => {
                self.selected = *selected;
                self.request = request.as_deref().cloned();
            }
            Event::StepFinished {
                step,
                started,
                took,
                result,
            } => self.steps.push(RunStep {
                step: step.clone(),
                started: Some(started.to_string()),
                took_ms: millis(*took),
                result: result.as_ref().ok().cloned(),
                error: result.as_ref().err().cloned(),
            }),
            Event::EnvironmentKnown(environment) => self.environment = Some(environment.clone()),
            Event::ScenarioFinished(record) => self.records.push((**record).clone()),
            Event::RunFinished(summary) => self.summary = Some((**summary).clone()),
            Event::CaseStarted { .. }
            | Event::StepStarted { .. }
            | Event::StepPhase { .. }
            | Event::StepProgress { .. }
            | Event::SlotsAwaited { .. }
            | Event::ScenarioStarted { .. }
            | Event::Interrupted => return false,
        }
        true
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn what_is_still_to_come_out_as_expected() {
        let mut run = sample::run();
        let wanted = ["networking::lease", "names::short", "names::never"];
        run.request = Some(RunRequest {
            scenarios: wanted.map(str::to_owned).into(),
            ..RunRequest::default()
        });
        run.records
            .retain(|record| wanted.contains(&record.name.as_str()));
        assert_eq!(run.unfinished(), ["names::short", "names::never"]);
        let why = crate::verdict::INTERRUPTED_BEFORE.to_owned();
        run.records[0].verdict = crate::verdict::Verdict::Skipped { why };
        assert_eq!(
            run.unfinished(),
            ["networking::lease", "names::short", "names::never"]
        );
    }
}
