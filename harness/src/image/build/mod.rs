//! The build of a Debian image: mmdebstrap for the trees, one script that puts them together, `mke2fs` for the disk.
//!
//! Root is not needed: mmdebstrap's user namespaces give an ordinary user a tree with several owners.

pub(crate) mod assemble;
mod cpio;
mod finish;
pub(crate) mod initrd;
pub(crate) mod job;
mod overlay;
mod packages;
pub(crate) mod plan;
mod preflight;
pub(crate) mod sync;
mod trees;
pub(crate) mod workdir;

pub(crate) use plan::run;
