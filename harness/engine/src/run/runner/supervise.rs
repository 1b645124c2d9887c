//! Watches over one body from outside: it may panic, hang or be interrupted, and a record follows.

use std::time::Duration;

use tokio::{
    runtime::Handle,
    task::{JoinError, JoinHandle},
    time::{Instant, timeout},
};

use super::{evidence_folder::EvidenceFolder, interrupt::Interrupt, panics::PanicSlot};
use crate::run::task::{Task, TaskBody};
use crate::verdict::{Verdict, event::Record};

/// How long a stopped body may take at most to be dropped before it is left behind.
const DROP_LIMIT: Duration = Duration::from_secs(10);

/// What a body is watched with.
pub(super) struct Watch {
    pub(super) grace: Duration,
    pub(super) bodies: Handle,
    pub(super) interrupt: Interrupt,
}

impl Watch {
    /// Runs the body of `task` to its end or to the outer deadline, and keeps the record in `evidence_folder`.
    pub(super) async fn over(&self, mut task: Task, evidence_folder: EvidenceFolder) -> Record {
        let (started, begin) = (jiff::Timestamp::now(), Instant::now());
        let nothing: TaskBody = Box::new(|_| Box::pin(std::future::pending()));
        let body = std::mem::replace(&mut task.body, nothing);
        let verdict = match evidence_folder.begin(&task) {
            Ok(()) => {
                self.verdict(&task.name, task.limit, body, &evidence_folder)
                    .await
            }
            Err(error) => Verdict::Infrastructure {
                error: format!("evidence folder: {error}"),
            },
        };
        let record = Record {
            started: Some(started.to_string()),
            ..record(&task, &evidence_folder, verdict, begin)
        };
        evidence_folder.finish(record)
    }

    async fn verdict(
        &self,
        name: &str,
        limit: Duration,
        body: TaskBody,
        evidence_folder: &EvidenceFolder,
    ) -> Verdict {
        let slot = PanicSlot::default();
        let folder = evidence_folder.absolute.clone();
        let watched = slot.watch(async move { body(folder).await });
        // A task of its own: one that blocks its thread can't keep the deadline from firing.
        let mut running = Running(self.bodies.spawn(watched));
        let limit = limit.saturating_add(self.grace);
        let ended = timeout(limit, async {
            tokio::select! {
                biased;
                joined = &mut running.0 => Some(joined),
                () = self.interrupt.raised() => None,
            }
        })
        .await;
        let verdict = match ended {
            Ok(Some(Ok(verdict))) => return verdict,
            Ok(Some(Err(error))) => return lost(error, &slot, evidence_folder),
            Ok(None) => Verdict::Interrupted,
            Err(_) => Verdict::TimedOut {
                phase: "the end of the scenario".into(),
                waited_ms: millis(limit),
                last: "its own deadline had passed without it ending".into(),
            },
        };
        running.stop(name, self.grace.min(DROP_LIMIT)).await;
        verdict
    }
}

/// The record of `task` that began at `begin` and ends now.
pub(super) fn record(
    task: &Task,
    evidence_folder: &EvidenceFolder,
    verdict: Verdict,
    begin: Instant,
) -> Record {
    Record {
        name: task.name.clone(),
        claim: task.claim.clone(),
        verdict,
        started: None,
        took_ms: millis(begin.elapsed()),
        evidence: evidence_folder.relative.clone(),
        again: task.again.clone(),
    }
}

fn lost(error: JoinError, slot: &PanicSlot, evidence_folder: &EvidenceFolder) -> Verdict {
    let error = match error.try_into_panic() {
        Err(error) => error.to_string(),
        Ok(payload) => {
            let caught = slot.take(&*payload);
            let text = format!("panicked: {}\n\n{}\n", caught.text, caught.backtrace);
            if let Err(error) = fs_err::write(evidence_folder.absolute.join("panic.txt"), text) {
                tracing::error!("the panic's text could not be kept: {error}");
            }
            format!("the scenario panicked: {}", caught.text)
        }
    };
    Verdict::Infrastructure { error }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A task that does not outlive the one who watches it.
struct Running(JoinHandle<Verdict>);

impl Running {
    async fn stop(&mut self, name: &str, limit: Duration) {
        self.0.abort();
        if timeout(limit, &mut self.0).await.is_err() {
            tracing::error!("{name} does not let itself be stopped: it blocks its thread");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}
