//! What a disk has after a power cut: the log of its writes, which of them are lost, and the disk made of the rest.

pub mod image;
pub mod log;
pub mod loss;
