//! The host's firewall as a variable: which backend, and which variant of NixOS' rules.

use spawnlab::prelude::*;

use crate::ruleset::Backend;

/// A variant of NixOS' rules.
#[derive(Debug, PartialEq, Eq)]
pub struct Variant {
    /// Its name on the command line.
    pub name: &'static str,
    /// The tag of the lines in `scenarios/rules` that make it, if any.
    tag: Option<&'static str>,
    /// The backends that it is meant for.
    backends: &'static [Backend],
}

/// The variants. One that has no line in a backend's rules is that backend as NixOS has it: this is
/// how nixpkgs' change, which knows iptables only, is on nftables.
pub const VARIANTS: [Variant; 5] = [
    Variant {
        name: "nixos",
        tag: None,
        backends: &Backend::ALL,
    },
    Variant {
        name: "nixpkgs-498177",
        tag: Some("nixpkgs-498177"),
        backends: &Backend::ALL,
    },
    Variant {
        name: "nixpkgs-498177-nft",
        tag: Some("nixpkgs-498177-nft"),
        backends: &[Backend::Nftables],
    },
    Variant {
        name: "workaround",
        tag: Some("workaround"),
        backends: &Backend::ALL,
    },
    Variant {
        name: "dhcp-from-anywhere",
        tag: Some("dhcp-from-anywhere"),
        backends: &Backend::ALL,
    },
];

/// A host's firewall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Firewall {
    backend: Backend,
    variant: &'static Variant,
}

impl Firewall {
    /// Reads `off`, `VARIANT` (on iptables, NixOS' default) or `BACKEND:VARIANT`.
    ///
    /// # Errors
    /// A message for the user that says what there is.
    pub fn read(text: &str) -> Result<Option<Self>, String> {
        if text == "off" {
            return Ok(None);
        }
        let (backend, name) = text.split_once(':').unwrap_or(("iptables", text));
        let backend = Backend::ALL
            .into_iter()
            .find(|known| known.name() == backend)
            .ok_or_else(|| format!("{backend:?} is no backend; there are iptables and nftables"))?;
        let variant = VARIANTS
            .iter()
            .find(|known| known.name == name)
            .ok_or_else(|| {
                let known: Vec<_> = VARIANTS.iter().map(|known| known.name).collect();
                format!(
                    "{name:?} is no variant; there are off, {}",
                    known.join(", ")
                )
            })?;
        if !variant.backends.contains(&backend) {
            let meant: Vec<_> = variant
                .backends
                .iter()
                .map(|backend| format!("{}:{name}", backend.name()))
                .collect();
            return Err(format!(
                "{name} has no meaning on {}; write {}",
                backend.name(),
                meant.join(" or ")
            ));
        }
        Ok(Some(Self { backend, variant }))
    }

    /// `BACKEND-VARIANT`, as a name of files.
    #[must_use]
    pub fn name(self) -> String {
        format!("{}-{}", self.backend.name(), self.variant.name)
    }

    /// `BACKEND:VARIANT`, as the command line has it.
    #[must_use]
    pub fn given(self) -> String {
        format!("{}:{}", self.backend.name(), self.variant.name)
    }

    /// Its rules: what a layer under it is made of.
    #[must_use]
    pub fn rules(self) -> String {
        self.backend.rules(self.variant.tag)
    }

    /// Loads the rules on `host`.
    ///
    /// # Errors
    /// A failure of the assertion `the firewall loads` with the words of the tool that refused them.
    pub async fn load(self, host: &Host) -> Outcome {
        let output = self.backend.load(host, self.variant.tag).await?;
        expect("the firewall loads").succeeded(output)?;
        Ok(())
    }

    /// How many requests of guests for a lease the rules have refused.
    ///
    /// # Errors
    /// When the rules are not loaded.
    pub async fn refused(self, host: &Host) -> Result<u64, Error> {
        self.backend.refused(host, "guests").await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("off", None)]
    #[case("nixos", Some("iptables-nixos"))]
    #[case("iptables:nixos", Some("iptables-nixos"))]
    #[case("nixpkgs-498177", Some("iptables-nixpkgs-498177"))]
    #[case("nftables:nixpkgs-498177-nft", Some("nftables-nixpkgs-498177-nft"))]
    #[case("nftables:workaround", Some("nftables-workaround"))]
    fn what_is_meant(#[case] text: &str, #[case] name: Option<&str>) {
        let firewall = Firewall::read(text).expect("read");
        assert_eq!(firewall.map(Firewall::name).as_deref(), name);
    }

    #[rstest::rstest]
    #[case("nixpkgs-498177-nft", "write nftables:nixpkgs-498177-nft")]
    #[case("nixxos", "workaround")]
    #[case("firewalld:nixos", "iptables and nftables")]
    #[case("", "no variant")]
    fn what_is_not_there_is_said(#[case] text: &str, #[case] part: &str) {
        let error = Firewall::read(text).expect_err("refused");
        assert!(error.contains(part), "{error}");
    }

    #[test]
    fn the_change_of_nixpkgs_has_no_part_for_nftables() {
        let rules = |text| {
            let firewall = Firewall::read(text).expect("read");
            firewall.expect("not off").rules()
        };
        assert_eq!(rules("nftables:nixpkgs-498177"), rules("nftables:nixos"));
        assert_ne!(rules("iptables:nixpkgs-498177"), rules("iptables:nixos"));
    }
}
