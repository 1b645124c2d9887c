//! One piece of work for the runner. The runner knows no VMs: a scenario on a clone, a scenario
//! under a saboteur, and a fake in a unit test all look the same to it.

use std::{fmt, num::NonZeroUsize, time::Duration};

use camino::Utf8PathBuf;

use crate::{util::poll::BoxFuture, verdict::Verdict};

/// The body of a [`Task`]: receives its evidence folder (absolute, exists, empty).
pub type TaskBody = Box<dyn FnOnce(Utf8PathBuf) -> BoxFuture<Verdict> + Send>;

/// One piece of work with a name and a verdict.
pub struct Task {
    /// `area::name`, with `+saboteur` behind it under `prove`.
    pub name: String,
    /// The sentence that is proved.
    pub claim: String,
    /// The body keeps its own deadline and collects evidence when it passes; the runner's is this
    /// one plus a grace period, for a body that does not keep it.
    pub limit: Duration,
    /// How many VMs it runs at once: as many slots are taken for it, all or none.
    pub machines: NonZeroUsize,
    /// Set when the task is not to be run: the reason.
    pub skip: Option<String>,
    /// The command that runs just this again.
    pub again: String,
    /// What to do. Cancelled by being dropped: clean-up must not need a poll.
    pub body: TaskBody,
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("name", &self.name)
            .field("limit", &self.limit)
            .field("skip", &self.skip)
            .finish_non_exhaustive()
    }
}
