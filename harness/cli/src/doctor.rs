//! What this machine can do for the lab, what it lacks, and how to mend that.
//!
//! [`probe`](probes::probe) looks, [`lines`](judge::lines) judges, and neither needs anything to be
//! installed: to find that out is what it is for.

pub mod judge;
pub mod leftovers;
pub mod probes;
