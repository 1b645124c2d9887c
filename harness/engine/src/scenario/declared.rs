//! Scenarios for people who write no Rust: `spawnlab.toml`.
//!
//! [`parse`] makes plain data of the text, or a [`Problem`] that points at line and column. What the
//! data describes becomes [`crate::scenario::Scenario`]s like any other ([`scenarios`]): same layers,
//! clones, verdicts and reports.

mod body;
mod cases;
mod check;
mod check_machines;
mod check_step;
mod check_words;
mod data;
mod leases;
mod parse;
mod problem;
mod raw;
mod read_files;
mod shared;
mod step;
#[cfg(test)]
mod tests;
mod words;

pub use body::scenarios;
pub use data::{Declared, DeclaredMachine, DeclaredTarget, File, Located, Sabotage};
pub use parse::parse;
pub use problem::Problem;
pub use read_files::read_files;
pub use step::{Content, DeclaredStep, Do, ExpectedOutput, Text};
