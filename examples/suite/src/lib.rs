//! Scenarios on hosts of their own, for the tests and for the command.

mod limits;
mod page;

use spawnlab::run::suite::Suite;

/// The scenarios of this crate, and what they run on.
#[must_use]
pub fn suite() -> Suite {
    Suite::of(spawnlab::scenarios!())
        // Both could be others': what declares containers on a host, and, as `.tool(..)`, what deploys.
        .declaration("../../tooling/nix")
        .containers("containers.nix")
        .flake("guests")
        .deploy("page", "page")
}
