//! The attribute that declares a scenario, for the crate `spawnlab`, which exports it.
//!
//! `declaration` reads what stands above a function, `case` fills in its cases, `assertions` and `sources` look for the
//! assertions that saboteurs name, and `expand` writes what registers the scenario.

mod assertions;
mod case;
mod declaration;
mod expand;
mod saboteur;
mod sources;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

/// Declares a scenario. Its doc comment is the claim; below it stands at least one [`macro@saboteur`].
///
/// ```text
/// /// No unit of the host has failed.
/// #[scenario(on = Deployed)]
/// #[saboteur("a-unit-fails", fails = "the failed units", spares = "names::name_resolves" =>
///     "systemd-run --unit=sabotage false; systemctl is-failed --wait sabotage")]
/// async fn host_has_no_failed_units(lab: &Lab) -> Outcome { ... }
/// ```
///
/// | argument | meaning |
/// | --- | --- |
/// | `on = Deployed` | the layer that its machine starts from, or `Host` |
/// | `machines(laptop = Host, host = Deployed)` | instead of `on`: several machines, joined by a network, and the layer of each |
/// | `limit = 60` | its deadline in seconds on a machine with KVM, 60 by default |
/// | `per_iteration = 10` | what each of `Lab::iterations` turns takes at most there, in seconds, on top of the limit |
/// | `needs = [Idempotent]` | what the deploy tool has to promise (`Guarantee`) |
/// | `wants = [NixosModules]` | what the host has to have (`Feature`) |
/// | `brings = ["firewall"]` | the suite's variables that it sets by itself |
/// | `disk = Logged` | every write of its host to its disk is logged, so that the power can be cut (`Lab::power_cut`) |
/// | `cases(nftables, iptables)` | one scenario for each case, called `nftables_NAME` and `iptables_NAME` |
/// | `soak` | only `qualify --soak`, `run --soak` and who names it has it: all of its kind together would take an ordinary run too long; around cases, `cases(nftables, soak(iptables))`, only these |
/// | `area = "names"` | the area, if it is not the last part of the module's path |
///
/// A function with cases has a second parameter: an enum whose variants are called as the cases are (`Nftables`), or a
/// `&str`. In the texts of its attributes and in its claim `{case}` is the case's name, and `{one|other}` has a part for
/// each case, in their order.
#[proc_macro_attribute]
pub fn scenario(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::scenario(arguments.into(), item.into()).into()
}

/// A change to the clone that has to make the scenario fail: name, the assertion that fails, a scenario that still
/// passes, and what is changed, in order. A plain text is a script for the host.
///
/// ```text
/// #[saboteur("no-dhcp-server", fails = "the lease", spares = "status::host_has_no_failed_units" =>
///     drop_in("systemd-nspawn@web.service", "[Service]\nKillMode=control-group"),
///     "systemctl restart systemd-nspawn@web.service")]
/// ```
///
/// `case = nftables` restricts it to one of the scenario's cases, and `on = "laptop"` names the machine that is changed,
/// where it is not `host`.
#[proc_macro_attribute]
pub fn saboteur(_: TokenStream, item: TokenStream) -> TokenStream {
    expand::misplaced("saboteur", item.into()).into()
}

/// What would be a finding in any other scenario, and is meant to happen in this one:
///
/// ```text
/// #[expects(FailedUnit("broken.service") in "web", because = "what is deployed is broken")]
/// ```
///
/// Without `in` it is the host's.
#[proc_macro_attribute]
pub fn expects(_: TokenStream, item: TokenStream) -> TokenStream {
    expand::misplaced("expects", item.into()).into()
}
