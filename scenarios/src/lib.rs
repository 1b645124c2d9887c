//! The claims about systemd-nspawn container hosts, what they run on, and what can be varied.

pub mod adapters;
pub mod areas;
pub mod dhcp;
pub mod evaluated;
pub mod firewall;
pub mod fixture;
pub mod generation;
mod nonce;
pub mod outside;
pub mod packet_counters;
pub mod registry;
pub mod ruleset;
pub mod suite;
pub mod variable;
