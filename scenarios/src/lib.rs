//! The claims about systemd-nspawn container hosts, and the command that checks them.

pub mod areas;
pub mod assets;
mod bench;
pub mod cli;
pub mod dhcp;
pub mod doctor;
mod doors;
pub mod engine;
pub mod evaluated;
pub mod explain;
pub mod firewall;
pub mod gate;
pub mod generation;
mod human;
pub mod images;
mod nonce;
pub mod outside;
pub mod registry;
pub mod ruleset;
mod settle;
pub mod side;
mod under;

pub use spawnlab::scenario::facts;
