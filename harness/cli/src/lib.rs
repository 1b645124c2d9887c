//! The `spawnlab` command for any suite of scenarios.
//!
//! A program hands its [`Suite`](spawnlab::run::suite::Suite) to [`main`], and has all of the command: `list`, `run`, `prove`, `verify`, `qualify`,
//! `shell`, `explain`, `bench` and the rest.
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use spawnlab::run::suite::Suite;
//!
//! fn main() -> ExitCode {
//!     spawnlab_cli::main(Suite::of(spawnlab::scenarios!()))
//! }
//! ```
//!
//! | folder | what it is |
//! | --- | --- |
//! | [`args`] | the command line as data |
//! | `commands` | what each subcommand does |
//! | [`lab`] | what the commands share: files of scenarios, sides, selections, kept hosts |
//! | `bench`, [`doctor`] | what is measured, and what a machine can do |
//! | [`output`] | exit codes, errors for people, signals |

pub mod args;
mod bench;
mod command;
pub mod commands;
pub mod doctor;
pub mod lab;
pub mod output;

pub use command::{command, main};
