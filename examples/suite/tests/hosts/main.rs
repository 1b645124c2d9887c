//! Scenarios of this crate on hosts of its own: `cargo test`. `-- --ignored` proves them.

mod limits;
mod page;

use std::process::ExitCode;

use spawnlab::run::suite::Suite;

fn main() -> ExitCode {
    Suite::of(spawnlab::scenarios!())
        // Both could be others': what declares containers on a host, and, as `.tool(..)`, what deploys.
        .declaration("../../tooling/nix")
        .containers("containers.nix")
        .flake("guests")
        .deploy("page", "page")
        .main()
}
