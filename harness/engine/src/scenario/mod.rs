//! A scenario as data, what its body receives, the assertions it makes, and the evidence it leaves.
//!
//! Uses layers, hosts and verdicts. What the author of a scenario needs belongs here; when and how often
//! a scenario is run belongs into `run`.

pub mod capability;
mod declaration;
pub mod declared;
pub mod evidence;
pub mod expect;
pub mod facts;
pub mod lab;
pub mod prelude;
pub mod subject;
pub mod tool;

pub use declaration::{
    Base, Body, Call, Feature, Future, Guarantee, Saboteur, Scenario, Surrounding,
};
