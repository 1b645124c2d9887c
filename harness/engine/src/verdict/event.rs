//! What happens in a run, for reporters. The engine sends, reporters only read.

use std::{collections::BTreeMap, time::Duration};

use camino::Utf8PathBuf;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::verdict::Verdict;

/// One thing that happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A run begins; nothing is known of its VMs yet.
    RunStarted {
        /// How many scenarios are selected.
        selected: usize,
        /// Where evidence goes.
        report_dir: Utf8PathBuf,
        /// What was asked for, where a later command can ask for it again.
        request: Option<Box<RunRequest>>,
    },
    /// The layers of one of several cases are prepared next.
    CaseStarted {
        /// What reports call the case, such as `base`.
        case: String,
    },
    /// A step before the scenarios (image, boot, provision, deploy) begins.
    StepStarted {
        /// The step's name, such as `layer booted`.
        step: String,
    },
    /// A step goes on to its next phase, such as `booting`.
    StepPhase {
        /// The step's name.
        step: String,
        /// What is being done now.
        phase: &'static str,
    },
    /// Something worth a line during a step.
    StepProgress {
        /// The step's name.
        step: String,
        /// The line.
        message: String,
    },
    /// A step ended.
    StepFinished {
        /// The step's name.
        step: String,
        /// When it began.
        started: Timestamp,
        /// How long it took.
        took: Duration,
        /// What came of it: `built`, `reused`, or the error.
        result: Result<String, String>,
    },
    /// What the scenarios run on is known now.
    EnvironmentKnown(Environment),
    /// A scenario can't begin, since other processes hold the slots of this machine. Sent again every few seconds, as long
    /// as that is so.
    SlotsAwaited {
        /// `area::name`, with `+saboteur` behind it under `prove`.
        name: String,
        /// For how many VMs, and who holds the slots: `1 VM; process 4711 (spawnlab run names::) has 2`.
        what: String,
    },
    /// A scenario begins.
    ScenarioStarted {
        /// `area::name`, with `+saboteur` behind it under `prove`.
        name: String,
    },
    /// A scenario ended.
    ScenarioFinished(Box<Record>),
    /// The user interrupted the run; scenarios that run are being stopped.
    Interrupted,
    /// The run ended.
    RunFinished(Box<Summary>),
}

/// What a run was asked for: enough to run a part of it again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRequest {
    /// The command: `run` or `prove`.
    pub command: String,
    /// Its options as words of a command line, as far as they say what scenarios run on and how often: no
    /// filters, no folders of reports. Paths are as the user gave them.
    pub options: Vec<String>,
    /// How often each scenario was to run.
    #[serde(default = "once")]
    pub repeat: u32,
    /// The full names of the scenarios that were selected, in the order in which they were to begin.
    pub scenarios: Vec<String>,
    /// The command that runs again what did not come out as expected.
    pub again: String,
}

fn once() -> u32 {
    1
}

/// The head of every report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Image name and id.
    pub image: String,
    /// `kvm` or `tcg`, with the reason where the lab chose.
    pub accelerator: String,
    /// The deploy tool: path and what identifies it.
    pub tool: String,
    /// Versions by program: `systemd`, `nix`, `kernel`, `qemu`, `spawnlab`; and `guest`, the suite of the guests.
    pub versions: BTreeMap<String, String>,
    /// What else the user chose, by name: `firewall`, as the command line has it. What has its default
    /// is not among them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// The digest of all that a verdict may depend on: runs with the same one are runs of the same. Absent in
    /// reports of before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<String>,
}

impl Environment {
    /// What conditions of known bugs are about: the versions, the image's name, `kvm` or `tcg`, and
    /// what the user chose.
    #[must_use]
    pub fn facts(&self) -> BTreeMap<String, String> {
        let word = |text: &str| text.split(' ').next().unwrap_or_default().to_owned();
        let mut facts = self.versions.clone();
        facts.insert("image".into(), word(&self.image));
        facts.insert("accelerator".into(), word(&self.accelerator));
        facts.insert("firewall".into(), "off".into());
        facts.extend(self.variables.clone());
        facts
    }
}

/// One scenario's line in a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// `area::name`, with `+saboteur` behind it under `prove`.
    pub name: String,
    /// The sentence that the scenario proves.
    pub claim: String,
    /// What it came to.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// When it began, in UTC, as RFC 3339; absent where it was never started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// From the clone's start to the end of its teardown.
    pub took_ms: u64,
    /// The evidence folder, relative to the report's.
    pub evidence: Utf8PathBuf,
    /// The command that runs just this again.
    pub again: String,
}

/// The names of the scenarios that are still to come out as expected: those of `records` that did not, and those of
/// `wanted` that never ran to their end.
pub(crate) fn unfinished<'r>(records: &'r [Record], wanted: &'r [String]) -> Vec<&'r str> {
    let open = |record: &&Record| !record.verdict.is_expected() || record.verdict.is_left_out();
    let open = records.iter().filter(open).map(|one| one.name.as_str());
    let ended = |name: &&str| records.iter().any(|one| one.name == *name);
    let never = wanted
        .iter()
        .map(String::as_str)
        .filter(|name| !ended(name));
    open.chain(never).collect()
}

/// The end of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// How many of each verdict, by [`Verdict::word`].
    pub counts: BTreeMap<String, usize>,
    /// Whether everything came out as expected.
    pub as_expected: bool,
    /// Whether the user cut it short.
    pub interrupted: bool,
    /// From the first event to the last.
    pub took_ms: u64,
    /// What kept the scenarios from being run at all, such as an image that can't be built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Summary {
    /// The sums of `records`.
    #[must_use]
    pub fn of(records: &[Record], interrupted: bool, took: Duration) -> Self {
        let mut counts = BTreeMap::new();
        for record in records {
            *counts.entry(record.verdict.word().to_owned()).or_default() += 1;
        }
        Self {
            counts,
            as_expected: !interrupted && records.iter().all(|record| record.verdict.is_expected()),
            interrupted,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            error: None,
        }
    }

    /// The sums of a run that came to no scenario because of `error`.
    #[must_use]
    pub fn broken(error: impl std::fmt::Display, took: Duration) -> Self {
        Self {
            as_expected: false,
            error: Some(error.to_string()),
            ..Self::of(&[], false, took)
        }
    }
}

/// Where events go. Sending never blocks and never fails: a reporter that is gone misses out.
#[derive(Debug, Clone)]
pub struct Events(Option<tokio::sync::mpsc::UnboundedSender<Event>>);

impl Events {
    /// A sender with its receiver.
    #[must_use]
    pub fn channel() -> (Self, tokio::sync::mpsc::UnboundedReceiver<Event>) {
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        (Self(Some(sender)), receiver)
    }

    /// A sender that nobody listens to.
    #[must_use]
    pub fn nobody() -> Self {
        Self(None)
    }

    /// Sends `event`.
    pub fn send(&self, event: Event) {
        if let Some(sender) = &self.0 {
            let _ = sender.send(event);
        }
    }

    /// The step `step` goes on to `phase`.
    pub fn phase(&self, step: &str, phase: &'static str) {
        self.send(Event::StepPhase {
            step: step.to_owned(),
            phase,
        });
    }

    /// A line about the step `step`.
    pub fn progress(&self, step: &str, message: impl Into<String>) {
        self.send(Event::StepProgress {
            step: step.to_owned(),
            message: message.into(),
        });
    }

    /// Runs `body` as the step `step`: started, finished, how long, and what came of it.
    ///
    /// # Errors
    /// Those of `body`.
    pub async fn step<T, E: std::fmt::Display>(
        &self,
        step: &str,
        body: impl AsyncFnOnce() -> Result<(T, String), E>,
    ) -> Result<T, E> {
        self.send(Event::StepStarted {
            step: step.to_owned(),
        });
        let (started, begin) = (Timestamp::now(), std::time::Instant::now());
        let result = body().await;
        self.send(Event::StepFinished {
            step: step.to_owned(),
            started,
            took: begin.elapsed(),
            result: match &result {
                Ok((_, how)) => Ok(how.clone()),
                Err(error) => Err(error.to_string()),
            },
        });
        result.map(|(value, _)| value)
    }
}
