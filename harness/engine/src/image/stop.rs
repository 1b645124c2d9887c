//! Ends a build from another thread: builds block, and can't be dropped like a future.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Says that a build is to end; its clones say the same.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

/// Says it when it is dropped.
#[derive(Debug)]
pub struct StopOnDrop(Stop);

impl Stop {
    /// Says it.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was said.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// What says it when whoever waits for the build has gone.
    #[must_use]
    pub fn on_drop(&self) -> StopOnDrop {
        StopOnDrop(self.clone())
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.raise();
    }
}
