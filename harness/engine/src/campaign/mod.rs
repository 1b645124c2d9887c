//! Many runs as one question: does a change do what it claims, and is a release fit for its matrix?
//!
//! Uses every folder below, and is used by none of them. A new way to compare or to cover belongs here;
//! how one scenario is run does not.

pub mod qualify;
pub mod verify;
