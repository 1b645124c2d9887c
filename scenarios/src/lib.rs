//! The claims about systemd-nspawn container hosts, and the command that checks them.

pub mod areas;
pub mod assets;
mod bench;
pub mod cli;
pub mod declarations;
pub mod engine;
pub mod firewall;
mod flake;
pub mod generation;
pub mod guest;
mod human;
mod made;
mod nonce;
mod programs;
pub mod registry;
pub mod ruleset;
mod settle;
pub mod side;
pub mod stage;
mod under;

pub use spawnlab::facts;
