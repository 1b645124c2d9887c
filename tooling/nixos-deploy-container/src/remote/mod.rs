//! The scripts that run on a host, put together from their parameters, and what they answer.

pub(crate) mod host;
pub(crate) mod script;
pub(crate) mod switch;
