//! NixOS hosts: the modules of a nixpkgs that the user names, on programs of Debian.

mod files;
mod given;
mod hash;
mod host_module;
mod inputs;
mod list;
pub(crate) mod programs;
pub(crate) mod switch;
mod tar;
mod tree;

pub(crate) use files::{recipe_file, scripts};
pub use given::NixpkgsGiven;
pub use inputs::{NixosFile, NixosInputs};
pub(crate) use tar::Tar;
