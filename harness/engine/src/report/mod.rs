//! Pure consumers of [`crate::verdict::event::Event`]s: they read, and never touch a VM.
//!
//! [`run::Run`] folds the events into what is known of a run; [`json`], [`junit`] and [`html`] render it;
//! the last of them reads the evidence, too.
//! [`terminal::Terminal`] tells the same while it happens. [`dir::Dir`] is the folder that all of it
//! goes to, and [`drive::drive`] feeds them.

pub mod dir;
pub mod document;
pub mod drive;
pub mod durations;
pub(crate) mod file;
pub mod html;
pub mod json;
pub mod junit;
pub mod ledger;
pub mod run;
#[cfg(test)]
mod sample;
pub mod terminal;
pub mod text;
