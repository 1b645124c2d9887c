//! Turns jobs into records: order, how many at once, deadlines, panics and interruption.
//!
//! The runner knows no VMs and prints nothing. What happens is sent as [`Event`]s; what a task
//! leaves behind is in its evidence folder, with `started.json` written before its body begins and
//! `verdict.json` after it ended, so that a killed run shows what it was doing.

mod evidence_folder;
mod interrupt;
mod panics;
mod supervise;
#[cfg(test)]
mod tests;

use std::{collections::VecDeque, num::NonZeroUsize, time::Duration};

use camino::Utf8PathBuf;
use tokio::{runtime::Handle, task::JoinSet, time::Instant};

pub use evidence_folder::{STARTED, Started, VERDICT};
pub use interrupt::{Interrupt, Interrupter, interrupt};

use super::task::Task;
use crate::{
    util::error::Result,
    verdict::{
        INTERRUPTED_BEFORE, NOT_STARTED_AFTER, Verdict,
        event::{Event, Events, Record, Summary},
    },
    vm::slots::{Slot, Slots},
};
use evidence_folder::EvidenceFolders;
use supervise::Watch;

/// How to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The report's folder; evidence goes into `evidence/<area>/<name>` below it.
    pub report_dir: Utf8PathBuf,
    /// How many jobs may run at once.
    pub at_once: NonZeroUsize,
    /// What else bounds it, over all processes; a task that waits for its slot has not begun.
    pub slots: Option<Slots>,
    /// Start no further jobs once one came out other than expected.
    pub fail_fast: bool,
    /// How much longer than its own limit a body may take before it is stopped from outside.
    pub grace: Duration,
    /// The runtime that bodies run on; the runner's if there is none. With one of their own, a body
    /// that blocks its thread cannot keep the runner from noticing deadlines and interruptions.
    pub bodies: Option<Handle>,
}

impl Options {
    /// One task at a time into `report_dir`, all of them, with 30 s of grace.
    pub fn new(report_dir: impl Into<Utf8PathBuf>) -> Self {
        Self {
            report_dir: report_dir.into(),
            at_once: NonZeroUsize::MIN,
            slots: None,
            fail_fast: false,
            grace: Duration::from_secs(30),
            bodies: None,
        }
    }

    /// Runs `jobs` at once; without a number, as many as `slots` admit at most. Either way other
    /// processes see by the slots what runs here.
    ///
    /// # Errors
    /// That of `slots`.
    pub fn admit(&mut self, jobs: Option<NonZeroUsize>, slots: Result<Slots>) -> Result<()> {
        let slots = slots?;
        self.at_once = jobs.unwrap_or(slots.most());
        self.slots = Some(slots);
        Ok(())
    }
}

/// What became of the jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// One record per task, in the order in which the tasks were given.
    pub records: Vec<Record>,
    /// Whether the interruption came before the last task ended.
    pub interrupted: bool,
}

impl Finished {
    /// The sums, for a run that took `took` all in all.
    #[must_use]
    pub fn summary(&self, took: Duration) -> Summary {
        Summary::of(&self.records, self.interrupted, took)
    }
}

/// Runs `jobs`, started in the order given and at most [`Options::at_once`] together.
///
/// Every task ends in exactly one [`Event::ScenarioFinished`], whether it ran, was skipped,
/// panicked, hung, or was never started because of an interruption or of [`Options::fail_fast`].
/// Dropping the returned future drops all bodies.
pub async fn run(
    jobs: Vec<Task>,
    options: &Options,
    interrupt: &Interrupt,
    events: &Events,
) -> Finished {
    panics::install();
    let mut evidence_folders = EvidenceFolders::below(&options.report_dir);
    let mut records: Vec<Option<Record>> = jobs.iter().map(|_| None).collect();
    let mut waiting: VecDeque<_> = jobs
        .into_iter()
        .map(|task| {
            let evidence_folder = evidence_folders.next(&task.name);
            (task, evidence_folder)
        })
        .enumerate()
        .collect();
    let mut running = JoinSet::new();
    let mut stop: Option<String> = None;
    let mut told = false;

    loop {
        if interrupt.is_raised() && !(told || (waiting.is_empty() && running.is_empty())) {
            told = true;
            stop = Some(INTERRUPTED_BEFORE.into());
            events.send(Event::Interrupted);
        }
        let mut done = None;
        if stop.is_some() || running.len() < options.at_once.get() {
            if let Some((index, (mut task, evidence_folder))) = waiting.pop_front() {
                if task.skip.is_none() {
                    task.skip.clone_from(&stop);
                }
                if let Some(why) = task.skip.take() {
                    let verdict = Verdict::Skipped { why };
                    let record = evidence_folder.finish(supervise::record(
                        &task,
                        &evidence_folder,
                        verdict,
                        Instant::now(),
                    ));
                    done = Some((index, record));
                } else {
                    let watch = Watch {
                        grace: options.grace,
                        bodies: options.bodies.clone().unwrap_or_else(Handle::current),
                        interrupt: interrupt.clone(),
                    };
                    let (slots, events) = (options.slots.clone(), events.clone());
                    running.spawn(async move {
                        let name = task.name.clone();
                        let told = |what: String| {
                            let name = name.clone();
                            events.send(Event::SlotsAwaited { name, what });
                        };
                        let _slot = admitted(slots, task.machines, &watch.interrupt, told).await;
                        events.send(Event::ScenarioStarted { name });
                        (index, watch.over(task, evidence_folder).await)
                    });
                    continue;
                }
            }
        }
        if done.is_none() {
            let joined = tokio::select! {
                biased;
                () = interrupt.raised(), if !told && !running.is_empty() => continue,
                joined = running.join_next() => joined,
            };
            done = match joined {
                Some(Ok(done)) => Some(done),
                // Supervisors neither panic nor are they aborted while somebody awaits this.
                Some(Err(error)) => {
                    tracing::error!("a supervisor was lost: {error}");
                    None
                }
                None => break,
            };
        }
        if let Some((index, record)) = done {
            if options.fail_fast && stop.is_none() && !record.verdict.is_expected() {
                stop = Some(format!(
                    "{NOT_STARTED_AFTER} {} {}",
                    record.name,
                    record.verdict.word()
                ));
            }
            events.send(Event::ScenarioFinished(Box::new(record.clone())));
            records[index] = Some(record);
        }
    }

    Finished {
        records: records.into_iter().flatten().collect(),
        interrupted: told,
    }
}

/// Waits for the slots of its `machines`, unless the run is interrupted. Without one the task runs all the same: a machine
/// that carries one VM too many is slow, and a task that never begins is no answer.
async fn admitted(
    slots: Option<Slots>,
    machines: NonZeroUsize,
    interrupt: &Interrupt,
    told: impl Fn(String) + Send + Sync,
) -> Option<Slot> {
    let slots = slots?;
    tokio::select! {
        slot = slots.take_telling(machines, told) => slot.map_err(|error| tracing::warn!(%error, "no slot")).ok(),
        () = interrupt.raised() => None,
    }
}
