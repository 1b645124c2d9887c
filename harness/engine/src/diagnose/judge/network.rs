//! From the link to a way in both directions.

use std::net::Ipv4Addr;

use super::{Found, Seen, broken, ok, unknown};
use crate::{
    diagnose::{
        Condition,
        facts::{Interface, Neighbour, Networkd, Route, ipv4, same_network},
        filters::refused,
    },
    verdict::hop::Hop,
};

/// The smallest that carries IPv6, which every guest has at least link-local addresses of.
const LEAST_MTU: u32 = 1280;

pub(super) fn link(seen: &Seen) -> Found {
    let name = seen.container();
    let Some(host) = &seen.link else {
        let why = format!("the host has no link to {name}: ve-{name} is not there");
        return broken(why).with(seen.ends());
    };
    let of = &host.ifname;
    let guests_seen = seen.facts.said("guest-addresses").is_some();
    let found = match &seen.guest_link {
        _ if !host.is_up() => broken(format!("the host's end {of} is down")),
        None if guests_seen => broken(format!("{of} has no other end in the guest")),
        Some(guest) if !guest.is_up() => {
            broken(format!("the guest's end {} is down", guest.ifname))
        }
        _ if !host.has_carrier() => broken(format!("{of} has no carrier")),
        Some(guest) if guest.mtu != host.mtu => broken(format!(
            "the ends differ in their MTU: {} and {}",
            host.mtu, guest.mtu
        )),
        _ if host.mtu < LEAST_MTU => broken(format!(
            "an MTU of {} is less than the {LEAST_MTU} that IPv6 needs",
            host.mtu
        )),
        _ => return ok(format!("{of} has a carrier")),
    };
    found.with(seen.ends())
}

pub(super) fn firewall(seen: &Seen) -> Found {
    if seen.address.is_some() {
        return ok("a lease came through");
    }
    let Some(link) = &seen.link else {
        return unknown("there is no link");
    };
    let Some((came, past)) = requests(seen) else {
        return unknown("no request for a lease could be counted");
    };
    let of = &link.ifname;
    match (came, past) {
        (0, _) => unknown(format!("no DHCP request came over {of}")),
        (came, 0) => broken(format!(
            "{came} DHCP request(s) came over {of}, none got past the host's filters"
        ))
        .with(refused(seen.facts, "rules-before", "rules-after", "input").words("host"))
        .with(seen.ends()),
        (came, past) => ok(format!(
            "{past} of {came} DHCP request(s) got past the host's filters"
        )),
    }
}

/// How many DHCP requests came over the link, and how many got past the filters.
fn requests(seen: &Seen) -> Option<(u64, u64)> {
    let mut counts = seen.facts.said("requests")?.split_whitespace();
    Some((counts.next()?.parse().ok()?, counts.next()?.parse().ok()?))
}

/// The host's addresses on the link, or on the bridge that it belongs to.
pub(super) fn hosts_networks(seen: &Seen) -> Vec<(Ipv4Addr, u8)> {
    let Some(link) = &seen.link else {
        return vec![];
    };
    let master = seen
        .links
        .iter()
        .find(|one| Some(&one.ifname) == link.master.as_ref());
    let of = |link: &Interface| link.global().collect::<Vec<_>>();
    master.map_or_else(|| of(link), of)
}

pub(super) fn lease(seen: &Seen) -> Found {
    let hosts: Option<Networkd> = seen.facts.json("networkd");
    let Some(address) = seen.address else {
        return no_lease(seen, hosts.as_ref());
    };
    let networks = hosts_networks(seen);
    if networks.is_empty() {
        return broken("the host's end of the link has no address of its own")
            .with(seen.ends())
            .with(hosts.iter().map(words));
    }
    let of = |(own, prefix): &(Ipv4Addr, u8)| same_network(*own, address, *prefix);
    if !networks.iter().any(of) {
        return broken(format!(
            "the guest's {address} is not of the host's network"
        ))
        .with(seen.ends())
        .with([leases(hosts.as_ref())]);
    }
    ok(address.to_string())
}

fn no_lease(seen: &Seen, hosts: Option<&Networkd>) -> Found {
    if seen.link.is_none() {
        return unknown("there is no link");
    }
    if seen.guest_link.is_none() {
        return unknown("the guest's addresses can't be seen");
    }
    let guests: Option<Networkd> = seen.facts.json("guest-networkd");
    let guests_unit = seen.facts.field("guest-networkd-unit", "ActiveState");
    let requests = requests(seen);
    let why = match (hosts, requests) {
        _ if seen.answers && !matches!(guests_unit, "" | "active") => {
            format!("the guest has none, and its systemd-networkd is {guests_unit}")
        }
        (None, _) => "the guest has none, and the host's systemd-networkd does not answer".into(),
        (Some(hosts), _) if hosts.dhcp_server.is_none() => {
            "the guest has none, and the host runs no DHCP server on the link".into()
        }
        (_, Some((0, _))) => "the guest has none, and it did not ask for one".into(),
        _ => "the guest has none".into(),
    };
    broken(why)
        .with(seen.ends())
        .with([leases(hosts)])
        .with(
            hosts
                .map(words)
                .map(|words| format!("host's networkd: {words}")),
        )
        .with(
            guests
                .iter()
                .map(|guest| format!("guest's networkd: {}", words(guest))),
        )
}

/// What networkd says of its link.
fn words(networkd: &Networkd) -> String {
    format!(
        "{}, {}, by {}",
        networkd.administrative_state,
        networkd.operational_state,
        networkd
            .network_file
            .as_deref()
            .unwrap_or("no .network file")
    )
}

/// The host's lease table.
fn leases(hosts: Option<&Networkd>) -> String {
    let given = match hosts.map(|hosts| &hosts.dhcp_server) {
        None => "it can't be seen".into(),
        Some(None) => "no server".into(),
        Some(Some(server)) if server.leases.is_empty() => "none".into(),
        Some(Some(server)) => {
            let given = server.leases.iter().map(|lease| {
                let address = ipv4(&lease.address).map_or("?".into(), |one| one.to_string());
                format!(
                    "{address} to {}",
                    lease.hostname.as_deref().unwrap_or("somebody")
                )
            });
            given.collect::<Vec<_>>().join(", ")
        }
    };
    format!("leases that the host's DHCP server gave: {given}")
}

pub(super) fn route(seen: &Seen) -> Found {
    let (Some(address), Some(link)) = (seen.address, &seen.link) else {
        return unknown("there is no address to send to");
    };
    let wanted = link.master.as_ref().unwrap_or(&link.ifname);
    let holders = seen
        .links
        .iter()
        .filter(|one| one.global().any(|(own, _)| own == address));
    let holders: Vec<&str> = holders.map(|one| one.ifname.as_str()).collect();
    let there: Option<Vec<Route>> = seen.facts.json("route");
    let there = there.and_then(|routes| routes.into_iter().next());
    let found = match there {
        None => broken(format!("the host has no route to {address}")).with(
            seen.facts
                .fact("route")
                .map(|fact| format!("ip route get: {}", fact.said)),
        ),
        Some(route) if route.kind.as_deref() == Some("local") => broken(format!(
            "the host itself holds the guest's address {address}"
        ))
        .with([format!(
            "it is an address of the host's {}",
            holders.join(", ")
        )]),
        Some(route) if route.dev.as_ref() != Some(wanted) => broken(format!(
            "the host sends what is for {address} to {}, and not to {wanted}",
            route.dev.unwrap_or_else(|| "nowhere".into())
        ))
        .with(route.gateway.map(|gateway| format!("by way of {gateway}"))),
        Some(_) => match back(seen, address) {
            Some(found) => found,
            None => return ok(format!("{address} by {wanted}, and back")),
        },
    };
    found.with(seen.ends())
}

/// What is wrong with the guest's way back, if anything.
fn back(seen: &Seen, address: Ipv4Addr) -> Option<Found> {
    let guest = seen.guest_link.as_ref()?;
    let networks = hosts_networks(seen);
    let (own, prefix) = networks
        .iter()
        .find(|(own, prefix)| same_network(*own, address, *prefix))?;
    let (_, guests) = guest.global().find(|(one, _)| *one == address)?;
    let back: Option<Vec<Route>> = seen.facts.json("guest-route");
    let back = back.and_then(|routes| routes.into_iter().next());
    let back = match back {
        None => Some(
            broken(format!("the guest has no route to its host's {own}")).with(
                seen.facts
                    .fact("guest-route")
                    .map(|fact| format!("ip route get, in the guest: {}", fact.said)),
            ),
        ),
        Some(route) if route.kind.as_deref() == Some("local") => Some(broken(format!(
            "the guest holds the host's address {own}, too"
        ))),
        Some(route) if route.dev.as_ref() != Some(&guest.ifname) => Some(broken(format!(
            "the guest sends what is for its host to {}, and not to {}",
            route.dev.unwrap_or_else(|| "nowhere".into()),
            guest.ifname
        ))),
        Some(_) if guests != *prefix => Some(broken(format!(
            "the guest's network is {address}/{guests}, the host's {own}/{prefix}"
        ))),
        Some(_) => None,
    };
    back.or_else(|| neighbour(seen, address, guest))
        .or_else(|| no_way_out(seen))
}

/// Whether it is the guest that answers to its address on the link.
fn neighbour(seen: &Seen, address: Ipv4Addr, guest: &Interface) -> Option<Found> {
    let known: Vec<Neighbour> = seen.facts.json("neighbour")?;
    let known = known.first()?;
    let lost = |state: &String| matches!(state.as_str(), "FAILED" | "INCOMPLETE");
    match (&known.lladdr, &guest.address) {
        _ if known.state.iter().any(lost) => Some(broken(format!(
            "the routes are right, but nobody answers ARP for {address}"
        ))),
        (Some(theirs), Some(its)) if theirs != its => Some(broken(format!(
            "somebody else answers ARP for {address}: {theirs}, while the guest is {its}"
        ))),
        _ => None,
    }
}

/// A lease of networkd's names a router: a guest that has the one and not the other lost it.
fn no_way_out(seen: &Seen) -> Option<Found> {
    let guests: Networkd = seen.facts.json("guest-networkd")?;
    let leased = |one: &crate::diagnose::facts::Configured| {
        one.config_source == "DHCPv4" && ipv4(&one.address) == seen.address
    };
    let routes: Vec<Route> = seen.facts.json("guest-routes")?;
    let has = routes.iter().any(|route| route.dst == "default");
    (guests.addresses.iter().any(leased) && !has).then(|| {
        broken("the guest leased its address, but has no default route: it reaches its host alone")
    })
}

/// Whether what comes later on the way can be told at all.
pub(super) fn passable(seen: &Seen) -> bool {
    seen.condition(Hop::Route) != Condition::Broken
}
