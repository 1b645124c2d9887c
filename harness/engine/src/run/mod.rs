//! From selected scenarios to verdicts: sessions, order, deadlines, attempts, repeats and known bugs.
//!
//! Uses the report for the times that scenarios took, and all folders below it. What makes layers for
//! scenarios, or decides when and how often one is run, belongs here.

pub mod attempt;
pub mod config;
pub mod known;
pub mod open_lab;
pub mod proof;
pub mod repeat;
pub mod runner;
#[cfg(test)]
mod scripted;
pub mod selection;
pub mod session;
pub mod stability;
pub mod suite;
pub mod target;
pub mod task;
pub mod variable;
