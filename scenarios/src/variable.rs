//! The variable `firewall` of comparisons and matrices, for the command and its help.

use std::sync::Arc;

use spawnlab::{
    image::Manifest,
    prelude::*,
    run::variable::{Setting, Variable},
    scenario::{Feature, Scenario, capability::is_nixos},
    util::poll::BoxFuture,
};

use crate::firewall::Firewall;

/// The host's packet filter, `firewall=VALUE`.
#[derive(Debug)]
pub struct FirewallVariable;

const NAME: &str = "firewall";

const HELP: &str = "  firewall=off                  no firewall of the lab's on the host [default]
  firewall=VARIANT              rules as NixOS has them, on iptables
  firewall=nftables:VARIANT     the same on nftables (firewall=iptables:VARIANT is the default said aloud)
    nixos                       as NixOS is: DHCP requests of containers are refused
    nixpkgs-498177              with the rules of NixOS/nixpkgs#498177; it has none for nftables
    nixpkgs-498177-nft          nftables only: our counterpart of that change, and not a part of it
    workaround                  with ve-+ in networking.firewall.interfaces; nftables refuses to load it
    dhcp-from-anywhere          DHCP open to all networks: a change that opens too much
    VARIANT+SWITCH=VALUE...     with options of NixOS' firewall, such as nixos+rpfilter=loose
      rpfilter=strict|loose|off checkReversePath [default: strict]
      forward=off|on|containers filterForward, on nftables only [default: off; +forward means on];
                                containers: with an extraForwardRules that lets them out";

impl Variable for FirewallVariable {
    fn name(&self) -> &'static str {
        NAME
    }

    fn help(&self) -> &'static str {
        HELP
    }

    fn unfit(&self, manifest: &Manifest) -> Option<String> {
        let why = "NixOS' modules make its rules; compare them with nixpkgs=, or change them with --host-module";
        is_nixos(manifest).then(|| why.into())
    }

    fn irrelevant(&self, scenario: &Scenario) -> Option<String> {
        let of_the_host = [Feature::NixosModules, Feature::Firewalld];
        let about_the_host = scenario.wants.iter().any(|one| of_the_host.contains(one));
        about_the_host.then(|| "it is about rules that a host's own system makes".into())
    }

    fn read(&self, value: &str) -> std::result::Result<Option<Arc<dyn Setting>>, String> {
        let firewall = Firewall::read(value)?;
        Ok(firewall.map(|firewall| Arc::new(firewall) as Arc<dyn Setting>))
    }
}

impl Setting for Firewall {
    fn variable(&self) -> &'static str {
        NAME
    }

    fn text(&self) -> String {
        self.given()
    }

    fn name(&self) -> String {
        (*self).name()
    }

    fn content(&self) -> String {
        self.rules()
    }

    fn apply(self: Arc<Self>, host: Arc<Host>) -> BoxFuture<Outcome> {
        Box::pin(async move { self.load(&host).await })
    }

    fn ready_assertion(&self) -> &'static str {
        "the containers settle under the firewall"
    }

    fn refused(self: Arc<Self>, host: Arc<Host>) -> BoxFuture<Result<u64>> {
        Box::pin(async move { Firewall::refused(*self, &host).await })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::{SWITCHES, VARIANTS};

    #[test]
    fn the_help_names_every_variant_and_switch() {
        for variant in &VARIANTS {
            assert!(HELP.contains(variant.name), "{}", variant.name);
        }
        for switch in &SWITCHES {
            let form = format!("{}={}", switch.name, switch.values.join("|"));
            assert!(HELP.contains(&form), "{form}");
        }
    }

    #[test]
    fn off_leaves_hosts_as_they_are() {
        assert!(FirewallVariable.read("off").is_ok_and(|one| one.is_none()));
        let nixos = FirewallVariable.read("nftables:nixos+rpfilter=loose");
        let nixos = nixos.expect("a variant").expect("a setting");
        assert_eq!(nixos.text(), "nftables:nixos");
        assert_eq!(nixos.name(), "nftables-nixos-rpfilter-loose");
        assert!(FirewallVariable.read("nope").is_err());
    }
}
