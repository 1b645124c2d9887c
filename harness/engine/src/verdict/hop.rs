//! The hops of the chain, in the order in which one depends on another.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One hop between "a person types deploy" and "the page answers by name", or of the container's way out to others
/// and of their way in by the host's ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hop {
    /// The host boots and its agent answers.
    Host,
    /// The container is declared on the host: drop-in and `.nspawn` file.
    Declaration,
    /// The system profile of the container points to a closure.
    Profile,
    /// `systemd-nspawn@NAME.service` is active.
    Unit,
    /// The container is registered with systemd-machined.
    Machine,
    /// The container's own systemd is up.
    Guest,
    /// The `ve-` link exists and has a carrier.
    Link,
    /// The firewall lets the guest's DHCP request in.
    Firewall,
    /// The guest holds a lease from the host's DHCP server.
    Lease,
    /// Both ends send what is for the other over the link, and find each other there.
    Route,
    /// The host resolves the container's name to the leased address, and the guest has a resolver.
    Name,
    /// The service's port takes connections that come over the link.
    Port,
    /// The service in the guest runs, and answers by name.
    Service,
    /// The host forwards what the guest sends beyond it, and the answers.
    Forwarding,
    /// The host's filter of forwarded packets lets out what the guest sends.
    ForwardFilter,
    /// What leaves the host has an address that answers find back to.
    Masquerade,
    /// The host's link to its router has a carrier and an address, and the router is there.
    Uplink,
    /// A name server that the guest was told answers it.
    NameServers,
    /// The host's ports that `Port=` gives to the container lead to it, and answer.
    PortForwards,
}

impl Hop {
    /// All hops, first to last.
    pub const ALL: [Self; 19] = [
        Self::Host,
        Self::Declaration,
        Self::Profile,
        Self::Unit,
        Self::Machine,
        Self::Guest,
        Self::Link,
        Self::Firewall,
        Self::Lease,
        Self::Route,
        Self::Name,
        Self::Port,
        Self::Service,
        Self::Forwarding,
        Self::ForwardFilter,
        Self::Masquerade,
        Self::Uplink,
        Self::NameServers,
        Self::PortForwards,
    ];
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => "host",
            Self::Declaration => "declaration",
            Self::Profile => "profile",
            Self::Unit => "unit",
            Self::Machine => "machine",
            Self::Guest => "guest",
            Self::Link => "link",
            Self::Firewall => "firewall",
            Self::Lease => "lease",
            Self::Route => "route",
            Self::Name => "name",
            Self::Port => "port",
            Self::Service => "service",
            Self::Forwarding => "forwarding",
            Self::ForwardFilter => "forward-filter",
            Self::Masquerade => "masquerade",
            Self::Uplink => "uplink",
            Self::NameServers => "name-servers",
            Self::PortForwards => "port-forwards",
        })
    }
}
