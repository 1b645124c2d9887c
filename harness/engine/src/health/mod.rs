//! What no healthy machine does, found on the console and in the journals of a clone's own time.
//!
//! Uses the evidence of a scenario, hosts and their journals. Another sign of an unhealthy host belongs into
//! `scan`; what it means for a scenario belongs into `judge`.

mod judge;
pub mod scan;

pub use judge::{FILE, Health, judged, noted};
