//! The claims about systemd-nspawn container hosts, and the command that checks them.

pub mod areas;
pub mod assets;
mod bench;
pub mod capability;
pub mod cli;
pub mod declarations;
mod deployed;
pub mod dhcp;
pub mod doctor;
mod doors;
pub mod engine;
pub mod explain;
pub mod firewall;
mod flake;
pub mod gate;
pub mod generation;
pub mod guest;
mod human;
pub mod images;
mod made;
mod nonce;
pub mod outside;
mod programs;
pub mod registry;
pub mod ruleset;
mod settle;
pub mod side;
pub mod stage;
mod under;

pub use spawnlab::facts;
