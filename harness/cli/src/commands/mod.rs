//! What each subcommand does.

pub(crate) mod bench;
mod cases;
pub mod completions;
pub(crate) mod doctor;
pub mod explain;
pub(crate) mod history;
pub(crate) mod image;
pub(crate) mod layers;
pub(crate) mod list;
pub mod man;
pub(crate) mod qualify;
mod qualify_files;
mod qualify_plan;
pub(crate) mod report;
pub(crate) mod resume;
pub(crate) mod run;
pub(crate) mod shell;
pub(crate) mod verify;
mod verify_files;
mod verify_plan;
