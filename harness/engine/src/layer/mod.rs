//! Layers: running hosts saved whole, kept in the cache, named by the hash of what led to them.
//!
//! Uses images and VMs. Saving, finding, checking, cloning and removing saved hosts belongs here; what is done on
//! a host before it is saved does not.

mod built;
mod checked;
pub mod clean;
pub mod cold;
pub mod evict;
pub mod kept;
pub mod key;
pub mod labdisk;
pub mod list;
pub mod lock;
pub mod logged;
pub mod platform;
pub mod recipe;
pub mod record;
pub mod saved;
#[cfg(test)]
pub(crate) mod scripted;
mod space;
pub mod sparse;
pub mod stack;
