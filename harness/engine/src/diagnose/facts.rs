//! What was found out about the way to a container: the words of each program, and their shapes.

use std::{collections::BTreeMap, net::Ipv4Addr};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::Endpoint;

/// Everything that was gathered on one host about one endpoint. As JSON, it is the file `facts.json` of the
/// evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The way that they are about.
    #[serde(rename = "way")]
    pub endpoint: Endpoint,
    /// By name, as `gather.sh` has them.
    pub facts: BTreeMap<String, Fact>,
}

/// What one program said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// Its exit status; 124 means that it was given up, 127 that it is not installed.
    pub status: i32,
    /// What it printed, errors too.
    pub said: String,
}

/// Exit status of `timeout` when time was over.
pub(super) const GIVEN_UP: i32 = 124;

impl Facts {
    /// Reads what `gather.sh` printed.
    #[must_use]
    pub fn read(endpoint: &Endpoint, printed: &str) -> Self {
        let mut facts = BTreeMap::new();
        let mut stray = String::new();
        let mut open: Option<(String, String)> = None;
        for line in printed.lines() {
            match (line.strip_prefix('\u{1e}'), &mut open) {
                (Some(status), Some(_)) => {
                    if let Some((name, said)) = open.take() {
                        let status = status.trim().parse().unwrap_or(-1);
                        let said = said.trim_end().to_owned();
                        facts.insert(name, Fact { status, said });
                    }
                }
                (Some(name), None) => open = Some((name.to_owned(), String::new())),
                (None, Some((_, said))) => {
                    said.push_str(line);
                    said.push('\n');
                }
                (None, None) => {
                    stray.push_str(line);
                    stray.push('\n');
                }
            }
        }
        // What the way into the guest printed besides the guest's own facts.
        if let Some(guest) = facts.get_mut("guest") {
            stray.trim().clone_into(&mut guest.said);
        }
        Self {
            endpoint: endpoint.clone(),
            facts,
        }
    }

    /// The fact `name`, if it was asked for.
    pub(super) fn fact(&self, name: &str) -> Option<&Fact> {
        self.facts.get(name)
    }

    /// What the program behind `name` printed, if it succeeded.
    pub(super) fn said(&self, name: &str) -> Option<&str> {
        let fact = self.fact(name).filter(|fact| fact.status == 0)?;
        Some(fact.said.trim()).filter(|said| !said.is_empty())
    }

    /// The field `field` of what `systemctl show` printed; empty if there is none.
    pub(super) fn field(&self, name: &str, field: &str) -> &str {
        self.fact(name)
            .and_then(|fact| {
                let mut lines = fact.said.lines();
                lines.find_map(|line| line.strip_prefix(field)?.strip_prefix('='))
            })
            .unwrap_or_default()
    }

    /// What was printed as JSON; warnings may stand before it.
    pub(super) fn json<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let said = &self.fact(name)?.said;
        let from = said.find(['[', '{'])?;
        let mut values = serde_json::Deserializer::from_str(&said[from..]).into_iter::<Value>();
        serde_json::from_value(values.next()?.ok()?).ok()
    }
}

/// An interface, as `ip -j address` has it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Interface {
    pub ifindex: u32,
    pub ifname: String,
    /// The number of its other end.
    pub link_index: Option<u32>,
    #[serde(default)]
    pub flags: Vec<String>,
    pub mtu: u32,
    pub master: Option<String>,
    pub address: Option<String>,
    #[serde(default)]
    pub addr_info: Vec<InterfaceAddress>,
}

/// An address of an interface.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct InterfaceAddress {
    pub local: Option<std::net::IpAddr>,
    pub prefixlen: u8,
    pub scope: String,
}

impl Interface {
    /// Whether somebody set it up.
    pub(super) fn is_up(&self) -> bool {
        self.flags.iter().any(|flag| flag == "UP")
    }

    /// Whether the other end is up, too.
    pub(super) fn has_carrier(&self) -> bool {
        self.flags.iter().any(|flag| flag == "LOWER_UP")
    }

    /// Its IPv4 addresses that are more than link-local, with their prefix lengths.
    pub(super) fn global(&self) -> impl Iterator<Item = (Ipv4Addr, u8)> {
        self.ipv4()
            .filter(|(address, _, scope)| *scope == "global" && !address.is_link_local())
            .map(|(address, prefix, _)| (address, prefix))
    }

    fn ipv4(&self) -> impl Iterator<Item = (Ipv4Addr, u8, &str)> {
        self.addr_info.iter().filter_map(|info| match info.local {
            Some(std::net::IpAddr::V4(address)) => {
                Some((address, info.prefixlen, info.scope.as_str()))
            }
            _ => None,
        })
    }

    /// State, size and addresses in words.
    pub(super) fn words(&self) -> String {
        let state = match (self.is_up(), self.has_carrier()) {
            (false, _) => "down",
            (true, false) => "up, no carrier",
            (true, true) => "up",
        };
        let addresses: Vec<String> = self
            .ipv4()
            .map(|(address, prefix, _)| format!("{address}/{prefix}"))
            .collect();
        let addresses = if addresses.is_empty() {
            "no IPv4 address".to_owned()
        } else {
            addresses.join(", ")
        };
        format!("{} {state}, MTU {}, {addresses}", self.ifname, self.mtu)
    }
}

/// Whether both are of one network of `prefix` bits.
pub(super) fn same_network(one: Ipv4Addr, other: Ipv4Addr, prefix: u8) -> bool {
    let mask = u32::MAX
        .checked_shl(32_u32.saturating_sub(prefix.into()))
        .unwrap_or(0);
    u32::from(one) & mask == u32::from(other) & mask
}

/// An answer of `ip -j route get`, or a line of `ip -j route`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Route {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    #[serde(default)]
    pub dst: String,
    pub gateway: Option<String>,
    pub dev: Option<String>,
}

/// A line of `ip -j neighbour`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Neighbour {
    pub lladdr: Option<String>,
    #[serde(default)]
    pub state: Vec<String>,
}

/// A link as networkd sees it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Networkd {
    pub administrative_state: String,
    pub operational_state: String,
    pub network_file: Option<String>,
    #[serde(rename = "DHCPServer")]
    pub dhcp_server: Option<DhcpServer>,
    #[serde(default)]
    pub addresses: Vec<Configured>,
}

/// An address and where it is from.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Configured {
    #[serde(default)]
    pub address: Vec<u8>,
    #[serde(default)]
    pub config_source: String,
}

/// The server on the host's end.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DhcpServer {
    #[serde(default)]
    pub leases: Vec<Lease>,
}

/// What it gave.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Lease {
    #[serde(default)]
    pub address: Vec<u8>,
    pub hostname: Option<String>,
}

/// The bytes of an IPv4 address.
pub(super) fn ipv4(bytes: &[u8]) -> Option<Ipv4Addr> {
    let bytes: [u8; 4] = bytes.try_into().ok()?;
    Some(bytes.into())
}

/// How curl fared.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Fetched {
    pub exitcode: i32,
    pub errormsg: Option<String>,
    pub http_code: u16,
    pub time_connect: f64,
    pub remote_ip: Option<String>,
}

impl Fetched {
    /// Whether there was a connection, whatever came of it.
    pub(super) fn connected(&self) -> bool {
        self.exitcode == 0 || (self.exitcode != 7 && self.time_connect > 0.0)
    }

    /// curl's complaint.
    pub(super) fn complaint(&self) -> String {
        match &self.errormsg {
            Some(message) if !message.is_empty() => message.clone(),
            _ => format!("curl ended with {}", self.exitcode),
        }
    }
}

/// A socket that waits for connections, as `ss -Hltunp` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listener {
    pub udp: bool,
    /// Without the interface and without the brackets of IPv6; `0.0.0.0`, `::` and `*` are all.
    pub address: String,
    pub port: u16,
    pub program: String,
}

impl Listener {
    /// Reads one line.
    pub(super) fn read(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let udp = words.next()? == "udp";
        let (address, port) = words.nth(3)?.rsplit_once(':')?;
        let address = address.split('%').next()?;
        let program = line.split('"').nth(1).unwrap_or("somebody");
        Some(Self {
            udp,
            address: address.trim_matches(['[', ']']).to_owned(),
            port: port.parse().ok()?,
            program: program.to_owned(),
        })
    }

    /// Whether connections to `address` over IPv4 reach it.
    pub(super) fn hears(&self, address: Ipv4Addr) -> bool {
        matches!(self.address.as_str(), "0.0.0.0" | "*" | "::")
            || self.address == address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_and_what_stands_between_them() {
        let printed = "\u{1e}host\n6.12\n\u{1e}0\nFailed to connect to bus\n\u{1e}guest\n\u{1e}1\n\u{1e}cut\nshort";
        let facts = Facts::read(&Endpoint::to("web"), printed);
        assert_eq!(facts.said("host"), Some("6.12"));
        let guest = facts.fact("guest").unwrap();
        assert_eq!(
            (guest.status, guest.said.as_str()),
            (1, "Failed to connect to bus")
        );
        assert_eq!(facts.fact("cut"), None);
    }

    #[test]
    fn listeners_of_all_kinds() {
        let address = Ipv4Addr::new(192, 168, 1, 2);
        let read = |line| Listener::read(line).unwrap();
        let all = read(r#"tcp LISTEN 0 511 0.0.0.0:80 0.0.0.0:* users:(("nginx",pid=534,fd=3))"#);
        assert!(all.hears(address) && !all.udp && all.program == "nginx");
        let six = read("tcp LISTEN 0 511 [::]:80 [::]:*");
        assert!(six.hears(address) && six.port == 80);
        let local = read("udp UNCONN 0 0 127.0.0.53%lo:53 0.0.0.0:*");
        assert!(!local.hears(address) && local.udp && local.address == "127.0.0.53");
        assert_eq!(Listener::read("rubbish"), None);
    }
}
