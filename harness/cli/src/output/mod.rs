//! What a person or a script is told: exit codes, errors with hints, sizes and ages.

pub mod error;
pub(crate) mod exit;
pub(crate) mod human;
pub(crate) mod print;
pub(crate) mod signals;
