//! Scenarios of a crate outside this repository, as the tests of `cargo test` and `cargo nextest`.
//!
//! A test target with `harness = false` says what hosts are made of:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use spawnlab::run::suite::Suite;
//!
//! fn main() -> ExitCode {
//!     Suite::of(spawnlab::scenarios!())
//!         .declaration("../../tooling/nix")
//!         .containers("containers.nix")
//!         .flake("guests")
//!         .deploy("page", "page")
//!         .main()
//! }
//! ```
//!
//! Each scenario is a test of its name. Each saboteur is an ignored one, `area::name+saboteur`: `-- --ignored`
//! proves them. There is no command line for the lab; the environment has its options:
//!
//! | variable | meaning |
//! | --- | --- |
//! | `SPAWNLAB_TOOL` | the deploy tool under test, in place of that of [`Suite::tool`] or the lab's own |
//! | `SPAWNLAB_PROMISES` | what it promises: names of [`Guarantee`](crate::scenario::Guarantee)s with commas between, `all` or `none` |
//! | `SPAWNLAB_IMAGE` | a recipe's name or file, an image's folder, or a flake reference |
//! | `SPAWNLAB_NIXPKGS` | the nixpkgs of a NixOS image, with `+FILE.patch` behind it for each patch |
//! | `SPAWNLAB_HOST_MODULES` | modules for a NixOS image, with colons between |
//! | `SPAWNLAB_SWITCH` | the program that switches systems of a NixOS image |
//! | `SPAWNLAB_GUEST` | the suite that guests are made of |
//! | `SPAWNLAB_ACCEL` | `auto`, `kvm` or `tcg` |
//! | `SPAWNLAB_KEEP` | keep the hosts of what fails |
//! | `SPAWNLAB_REPORT` | the report's folder |

mod definition;
mod environment;
mod libtest;
mod parts;
mod report;
mod testing;
#[cfg(test)]
mod tests;

pub use definition::Suite;
