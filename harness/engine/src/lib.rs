//! spawnlab boots container hosts as VMs, keeps them as layers, and runs scenarios against clones.
//!
//! The folders are floors: each uses only those named below it here, and a test holds them to that.
//! `harness/README.md` has the words and the decisions.
//!
//! | folder | what it is |
//! | --- | --- |
//! | [`campaign`] | many runs as one question: `verify` compares, `qualify` covers a matrix |
//! | [`run`] | selected scenarios to verdicts: order, deadlines, attempts, repeats, known bugs |
//! | [`report`] | events to terminal, JUnit, JSON and HTML |
//! | [`diagnose`] | facts of a host and its guests, and the first broken hop |
//! | [`health`] | what no healthy console and no healthy journal has |
//! | [`scenario`] | a scenario as data, what its body receives, and what is kept of it |
//! | [`network`] | networks between machines: a switch, links, and what they do to frames |
//! | [`layer`] | running hosts saved whole, and their clones |
//! | [`image`] | what a VM boots from |
//! | [`vm`] | QEMU, its agent, hosts and containers |
//! | [`verdict`] | verdicts, hops, findings and events, as plain data |
//! | [`util`] | errors, waiting, digests, scratch folders |

#[cfg(test)]
extern crate self as spawnlab;

pub mod campaign;
pub mod diagnose;
pub mod health;
pub mod image;
pub mod layer;
pub mod network;
pub mod report;
pub mod run;
pub mod scenario;
pub mod util;
pub mod verdict;
pub mod vm;

pub use scenario::prelude;
pub use util::error::{Error, Result};
