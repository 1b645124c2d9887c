//! Many runs as one question: does a change do what it claims, and is a release fit for its matrix?
//!
//! A campaign is a list of cases; what is compared, covered, merged and shown of it is a pure function of
//! what came out. Uses every folder below, and is used by none of them. A new way to compare or to cover
//! belongs here; how one scenario is run does not.

pub mod case;
pub mod qualify;
pub mod shard;
pub mod verify;
