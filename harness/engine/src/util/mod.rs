//! What everything else is made with: errors, waiting, digests, patterns, scratch folders.
//!
//! Uses nothing of this crate. Nothing in it knows of VMs.

pub mod digest;
pub mod error;
pub(crate) mod layout;
pub mod pattern;
pub mod poll;
pub mod program;
pub mod scratch;
pub mod text;
pub mod version;
