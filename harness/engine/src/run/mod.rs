//! From chosen scenarios to verdicts: layers, order, deadlines, attempts, repeats and known bugs.
//!
//! Uses the report for the times that scenarios took, and all folders below it. What makes layers for
//! scenarios, or decides when and how often one is run, belongs here.

pub mod chosen;
pub mod engine;
pub mod known;
pub mod repeat;
pub mod runner;
pub mod stage;
pub mod suite;
pub mod task;
pub mod trial;
