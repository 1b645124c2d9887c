//! Why a container can't be reached: facts of the host and the guest, judged hop by hop, and the first
//! hop that is broken.
//!
//! One script gathers facts ([`Facts`]), a pure function judges them: what it says of a host depends on
//! nothing else, so that a recorded host is judged as the living one was. Uses hosts and hops. Another hop, or
//! another sign of a broken one, belongs here.

mod diagnosis;
mod facts;
mod filters;
mod gather;
mod judge;
#[cfg(test)]
mod tests;
mod text;

pub use diagnosis::{
    Condition, Diagnosis, Endpoint, FACTS, FILE, Step, broken, diagnose, diagnose_here,
};
pub use facts::{Fact, Facts};
