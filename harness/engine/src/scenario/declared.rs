//! Scenarios for people who write no Rust: `spawnlab.toml`.
//!
//! [`parse`] makes plain data of the text, or a [`Problem`] that points at line and column. What the
//! data describes becomes [`crate::scenario::Scenario`]s like any other ([`scenarios`]): same layers,
//! clones, verdicts and reports.

mod body;
mod check;
mod check_step;
mod data;
mod parse;
mod problem;
mod raw;
mod step;
#[cfg(test)]
mod tests;

pub use body::scenarios;
pub use data::{Declared, DeclaredTarget, File, Located, Sabotage};
pub use parse::parse;
pub use problem::Problem;
pub use step::{DeclaredStep, Do, ExpectedOutput, Text};
