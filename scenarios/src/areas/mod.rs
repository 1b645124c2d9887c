//! The scenarios, one file per area.

pub mod contract;
pub mod deploy;
pub mod egress;
pub mod firewall;
pub mod health;
pub mod inside;
pub mod isolation;
pub mod journal;
pub mod names;
pub mod networking;
pub mod nixos;
pub mod ports;
pub mod remote;
pub mod restart;
pub mod rpfilter;
pub mod run;
pub mod status;
pub mod survives;
pub mod uplink;
