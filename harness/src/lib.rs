//! spawnlab boots container hosts as VMs, keeps them as layers, and runs scenarios against clones.
//!
//! `README.md` in this folder is the plan of the house: floors, words and decisions.

pub mod attach;
pub mod capability;
pub mod chosen;
pub mod container;
pub mod declared;
pub mod digest;
pub mod engine;
pub mod error;
pub mod event;
pub mod evidence;
pub mod expect;
pub mod facts;
pub mod finding;
pub mod health;
pub mod hop;
pub mod host;
pub mod image;
pub mod job;
pub mod journal;
pub mod known;
pub mod lab;
pub mod layer;
mod layout;
pub mod memory;
pub mod pattern;
pub mod poll;
pub mod prelude;
pub mod qemu;
pub mod qualify;
pub mod repeat;
pub mod report;
pub mod runner;
pub mod scan;
pub mod scenario;
pub mod scratch;
pub mod slots;
pub mod stage;
pub mod subject;
pub mod suite;
pub mod tool;
pub mod trial;
pub mod verdict;
pub mod verify;
pub mod version;
pub mod walk;

pub use error::{Error, Result};
