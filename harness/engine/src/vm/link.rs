//! Links, leases and names of containers, as the host's own tools and the guest's tell them.

use std::net::Ipv4Addr;

use serde::Deserialize;

use crate::{
    util::error::{Error, Result},
    vm::{
        container::{Container, quote},
        host::Host,
        verbs::Verbs,
    },
};

/// A link as networkd sees it. Names are networkd's own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Link {
    /// The kernel's name, 15 characters at most.
    pub name: String,
    /// `routable`, `degraded`, `carrier`, ...
    pub operational_state: String,
    /// `configured`, `configuring`, ...
    pub administrative_state: String,
    /// Its addresses of both families.
    #[serde(default)]
    pub addresses: Vec<Address>,
}

/// One address of a link.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Address {
    /// 2 is IPv4, 10 is IPv6.
    pub family: u8,
    /// Its bytes.
    pub address: Vec<u8>,
    /// Length of its network's prefix in bits.
    pub prefix_length: u8,
    /// `DHCPv4`, `IPv4LL`, `static`, ...
    #[serde(default)]
    pub config_source: String,
}

/// An IPv4 network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnet {
    address: Ipv4Addr,
    prefix: u8,
}

impl Subnet {
    /// Whether `address` is in it.
    #[must_use]
    pub fn contains(self, address: Ipv4Addr) -> bool {
        let mask = u32::MAX
            .checked_shl(32 - u32::from(self.prefix))
            .unwrap_or(0);
        u32::from(self.address) & mask == u32::from(address) & mask
    }
}

impl std::fmt::Display for Subnet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Link {
    /// Its IPv4 addresses with prefix lengths and sources.
    pub fn ipv4(&self) -> impl Iterator<Item = (Ipv4Addr, u8, &str)> {
        self.addresses.iter().filter_map(|found| {
            let bytes: [u8; 4] = found.address.as_slice().try_into().ok()?;
            Some((
                Ipv4Addr::from(bytes),
                found.prefix_length,
                found.config_source.as_str(),
            ))
        })
    }

    /// The network that its DHCP server gives addresses from: that of its address which is not link-local.
    #[must_use]
    pub fn subnet(&self) -> Option<Subnet> {
        self.ipv4()
            .find(|(address, ..)| !address.is_link_local())
            .map(|(address, prefix, _)| Subnet { address, prefix })
    }

    /// The address that it leased.
    #[must_use]
    pub fn leased(&self) -> Option<Ipv4Addr> {
        self.ipv4()
            .find(|(_, _, source)| *source == "DHCPv4")
            .map(|(address, ..)| address)
    }

    /// States and addresses, for messages.
    #[must_use]
    pub fn summary(&self) -> String {
        let addresses: Vec<String> = self
            .ipv4()
            .map(|(address, prefix, source)| format!("{address}/{prefix} ({source})"))
            .collect();
        format!(
            "{} {}, {}: {}",
            self.name,
            self.administrative_state,
            self.operational_state,
            if addresses.is_empty() {
                "no IPv4 address".into()
            } else {
                addresses.join(", ")
            }
        )
    }
}

fn parse_link(json: &str) -> Result<Link> {
    serde_json::from_str(json).map_err(|error| Error::answer("networkctl", error))
}

impl Host {
    /// The host's end of the link of `container`; an interface name that was cut short is found by its
    /// alternative name.
    ///
    /// # Errors
    /// [`Error::Command`] when there is no such link.
    pub async fn link(&self, container: &str) -> Result<Link> {
        let script = format!(
            "networkctl --json=short status \"$(ip -j link show ve-{container} | jq -r '.[0].ifname')\""
        );
        parse_link(&self.succeed(&script).await?)
    }

    /// The IPv4 addresses that the host's resolver finds for `name`, as any program would ask for them.
    ///
    /// # Errors
    /// When the host can't be asked.
    pub async fn resolve_all(&self, name: &str) -> Result<Vec<Ipv4Addr>> {
        let output = self
            .execute(&format!("getent ahostsv4 {}", quote(name)))
            .await?;
        let mut addresses: Vec<Ipv4Addr> = output
            .stdout
            .lines()
            .filter_map(|line| line.split_whitespace().next()?.parse().ok())
            .collect();
        addresses.dedup();
        Ok(addresses)
    }

    /// The first of [`Self::resolve_all`]: the one that a program connects to.
    ///
    /// # Errors
    /// When the host can't be asked.
    pub async fn resolve(&self, name: &str) -> Result<Option<Ipv4Addr>> {
        Ok(self.resolve_all(name).await?.first().copied())
    }
}

impl Container<'_> {
    /// The guest's end of its link.
    ///
    /// # Errors
    /// When the guest can't be asked.
    pub async fn link(&self) -> Result<Link> {
        parse_link(&self.look("networkctl --json=short status host0").await?)
    }

    /// The address that the guest says it leased.
    ///
    /// # Errors
    /// When the guest answers something unreadable. A guest that can't be asked has no lease.
    pub async fn lease(&self) -> Result<Option<Ipv4Addr>> {
        match self.link().await {
            Ok(link) => Ok(link.leased()),
            Err(Error::Command(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const LINK: &str = r#"{"Name":"ve-web","OperationalState":"routable","AdministrativeState":"configured",
        "Addresses":[
        {"Family":2,"Address":[169,254,116,212],"PrefixLength":16,"ConfigSource":"IPv4LL"},
        {"Family":2,"Address":[192,168,229,177],"PrefixLength":28,"ConfigSource":"DHCPv4"},
        {"Family":10,"Address":[254,128,0,0,0,0,0,0,0,0,0,0,0,0,0,1],"PrefixLength":64,"ConfigSource":"foreign"}]}"#;

    #[test]
    fn the_lease_and_the_subnet_are_not_the_link_local_ones() {
        let link = parse_link(LINK).unwrap();
        assert_eq!(link.leased(), Some(Ipv4Addr::new(192, 168, 229, 177)));
        let subnet = link.subnet().unwrap();
        assert!(subnet.contains(Ipv4Addr::new(192, 168, 229, 190)));
        assert!(!subnet.contains(Ipv4Addr::new(192, 168, 229, 192)));
    }

    #[rstest]
    #[case(r#"{"Name":"lo","OperationalState":"carrier","AdministrativeState":"unmanaged"}"#)]
    #[case(r#"{"Name":"x","OperationalState":"degraded","AdministrativeState":"configuring","Addresses":[
        {"Family":2,"Address":[169,254,1,1],"PrefixLength":16,"ConfigSource":"IPv4LL"}]}"#)]
    fn without_an_address_there_is_neither(#[case] json: &str) {
        let link = parse_link(json).unwrap();
        assert_eq!((link.leased(), link.subnet()), (None, None));
    }
}
