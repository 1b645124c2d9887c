//! The scenarios, one file per area.

pub mod deploy;
pub mod firewall;
pub mod health;
pub mod isolation;
pub mod journal;
pub mod names;
pub mod networking;
pub mod run;
pub mod status;
pub mod uplink;
