//! The command line as data, and the configuration that it stands for.

mod again;
mod command_line;
pub mod help;
pub mod history;
mod lab;
pub mod nixos;
pub mod qualify;
pub mod report;
pub mod source;
pub mod verify;

pub use command_line::{
    BenchArgs, CleanArgs, Cli, Command, ImageCommand, LayersArgs, LayersCommand, ListArgs,
    OnUnstable, ResumeArgs, RunArgs, Selection, ShellArgs,
};
pub(crate) use lab::promises;
pub use lab::{AccelArg, LabArgs, LayerName, Promises};
