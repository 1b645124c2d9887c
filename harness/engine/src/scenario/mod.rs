//! A scenario as data, what its body receives, the assertions it makes, and the evidence it leaves.
//!
//! Uses layers, hosts and verdicts. What the author of a scenario needs belongs here; when and how often
//! a scenario is run belongs into `run`.
//!
//! The attribute [`macro@scenario`] above an `async fn` makes one, and registers it ([`registry`]):
//!
//! ```
//! use spawnlab::prelude::*;
//!
//! /// No unit of the host has failed.
//! #[scenario(on = Deployed, area = "status")]
//! #[saboteur("a-unit-fails", fails = "the failed units", spares = "names::name_resolves" =>
//!     "systemd-run --unit=broken false; systemctl is-failed --wait broken")]
//! async fn nothing_failed(lab: &Lab) -> Outcome {
//!     let failed = lab.host().succeed("systemctl --failed --quiet --plain").await?;
//!     expect("the failed units").equal(failed.trim(), "")
//! }
//!
//! # fn main() {
//! let declared = spawnlab::scenarios!();
//! assert_eq!(declared[0].full_name(), "status::nothing_failed");
//! assert_eq!(declared[0].claim(), "No unit of the host has failed.");
//! # }
//! ```
//!
//! An assertion that nobody makes can't be what a saboteur breaks:
//!
//! ```compile_fail,E0080
//! # use spawnlab::prelude::*;
//! /// No unit of the host has failed.
//! #[scenario(on = Deployed)]
//! #[saboteur("a-unit-fails", fails = "the broken units", spares = "names::name_resolves" => "false")]
//! async fn nothing_failed(lab: &Lab) -> Outcome {
//!     let failed = lab.host().succeed("systemctl --failed --quiet --plain").await?;
//!     expect("the failed units").equal(failed.trim(), "")
//! }
//! ```

pub mod adapter;
pub mod capability;
mod change;
mod declaration;
pub mod declared;
pub mod evidence;
pub mod expect;
pub mod fixture;
pub mod lab;
pub mod power;
pub mod prelude;
pub mod ready;
pub mod registry;
pub mod tool;

pub use change::{Change, cut, drop_in, edit, file, in_guest, script, shim, stop_unit};
pub use declaration::{
    Base, Body, Call, DiskLog, Feature, Future, Guarantee, MachineBase, Saboteur, Scenario,
};
pub use spawnlab_macros::{expects, saboteur, scenario};
