//! An opened lab: the image, the layers that scenarios start from, and the tool that deployed to them.
//!
//! Nothing here knows what is tested: that is the fixture of a [`RunConfig`](super::config::RunConfig), its tool, and
//! what it promises.

mod applied;
mod deployed;
mod files;
mod inputs;
#[cfg(test)]
mod layer_tests;
mod layers;
mod open;
mod provisioned;
mod refused;
mod retry;
#[cfg(test)]
mod task_tests;
mod tasks;

pub use layers::Start;
pub use open::{Session, cache};
