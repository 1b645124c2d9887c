//! One QEMU process: its arguments, its life, its monitor and its guest agent.

pub mod accel;
pub mod agent;
pub mod args;
pub mod channel;
pub mod identity;
pub mod img;
pub mod machine;
pub mod monitor;
mod output;
pub mod process;
#[cfg(test)]
pub(crate) mod scripted;
pub mod sockets;
