//! The build of an image: mmdebstrap for Debian's trees, one script that puts them together (for NixOS hosts: that has
//! Nix build their system), `mke2fs` for the disk.
//!
//! Root is not needed: mmdebstrap's user namespaces give an ordinary user a tree with several owners.

pub(crate) mod assemble;
pub(crate) mod build_step;
mod cpio;
mod finish;
pub(crate) mod initrd;
mod mounts;
pub(crate) mod nixos;
mod overlay;
pub(crate) mod packages;
pub(crate) mod plan;
mod preflight;
pub(crate) mod programs;
pub(crate) mod sync;
mod system;
mod trees;
pub(crate) mod workdir;

pub(crate) use plan::run;
