//! What is said of a scenario, as plain data: verdicts, hops, findings, tasks and events.
//!
//! Uses only `util`. Whatever both the makers and the readers of results have to name belongs here.

pub mod event;
pub mod finding;
pub mod hop;
mod outcome;

pub use outcome::{Failure, Outcome, ScenarioError, Verdict};
pub(crate) use outcome::{INTERRUPTED_BEFORE, NOT_STARTED_AFTER};
