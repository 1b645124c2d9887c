//! VMs: QEMU and its agent, the host that runs in one, its containers and its disk, and how many there may be.
//!
//! Uses verdicts and `util`. What is done with one running machine belongs here.

pub mod container;
pub mod disk;
pub mod host;
pub mod identity;
pub mod journal;
pub mod link;
pub mod memory;
pub mod qemu;
pub mod slots;
pub mod terminal;
pub mod verbs;
