//! What hosts are made of, from what the user named: the image, the guests, their declarations, our programs.
//!
//! Uses images. Another way to name an image or what guests are made of belongs here.

pub mod choice;
pub mod declarations;
pub mod flake;
pub mod guest;
pub mod programs;
