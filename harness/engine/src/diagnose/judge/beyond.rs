//! From the guest to others beyond its host.

use std::net::Ipv4Addr;

use super::{Found, Seen, broken, network, ok, unknown};
use crate::{
    diagnose::{
        Condition,
        facts::{Interface, Neighbour, Route},
        filters::refused,
    },
    verdict::hop::Hop,
};

/// The packets that were sent for a look, by how far they came.
#[derive(Debug, Clone, Copy)]
struct Packets {
    sent: u64,
    to_be_forwarded: u64,
    let_through: u64,
    left_as_guest: u64,
    left_as_host: u64,
}

impl Packets {
    fn of(seen: &Seen) -> Option<Self> {
        let said = seen.facts.said("forwarded")?;
        let counts: Option<Vec<u64>> = said.split(' ').map(|word| word.parse().ok()).collect();
        match counts?.as_slice() {
            &[
                sent,
                to_be_forwarded,
                let_through,
                left_as_guest,
                left_as_host,
            ] => Some(Self {
                sent,
                to_be_forwarded,
                let_through,
                left_as_guest,
                left_as_host,
            }),
            _ => None,
        }
    }
}

/// The host's end of the link, or the bridge that it belongs to, and the link that leads beyond the host.
fn both_ends<'a>(seen: &'a Seen) -> Result<(&'a str, &'a str), Found> {
    let (Some(_), Some(link)) = (seen.address, &seen.link) else {
        return Err(unknown("there is no address to send from"));
    };
    let routes: Vec<Route> = seen.facts.json("guest-routes").unwrap_or_default();
    let default = routes.iter().find(|route| route.dst == "default");
    let Some(default) = default else {
        return Err(unknown("the guest has no default route"));
    };
    let gateway = default.gateway.as_deref().unwrap_or_default();
    let hosts = network::hosts_networks(seen);
    if !hosts.iter().any(|(own, _)| own.to_string() == gateway) {
        return Err(unknown(
            "the guest's default route does not lead to this host",
        ));
    }
    let inner = link.master.as_deref().unwrap_or(&link.ifname);
    let Some(fact) = seen.facts.fact("beyond") else {
        return Err(unknown("it was not looked at"));
    };
    match fact.said.split_whitespace().nth(1) {
        Some(uplink) => Ok((inner, uplink)),
        None => Err(unknown(NOWHERE)),
    }
}

/// Where a host is in no other network than those of its containers, as a lab's may be.
const NOWHERE: &str = "nothing lies beyond the host";

/// The host's default route, if it has one.
fn default_route(seen: &Seen) -> Option<Route> {
    let routes: Vec<Route> = seen.facts.json("host-routes")?;
    routes.into_iter().next()
}

fn words(seen: &Seen) -> Vec<String> {
    let route = match default_route(seen) {
        Some(route) => format!(
            "{}by {}",
            route
                .gateway
                .map_or(String::new(), |router| format!("{router} ")),
            route.dev.unwrap_or_else(|| "no link".into())
        ),
        None => "none".into(),
    };
    vec![format!("host's default route: {route}")]
}

pub(super) fn forwarding(seen: &Seen) -> Found {
    let (inner, uplink) = match both_ends(seen) {
        Ok(ends) => ends,
        Err(found) => return found,
    };
    match (
        seen.facts.field("forwarding", inner),
        seen.facts.field("forwarding", uplink),
    ) {
        ("0", _) => broken(format!(
            "the host forwards nothing that comes from {inner}: net.ipv4.conf.{inner}.forwarding is 0"
        )),
        (_, "0") => broken(format!(
            "the host forwards no answers that come from {uplink}: net.ipv4.conf.{uplink}.forwarding is 0"
        )),
        ("1", "1") => ok(format!("between {inner} and {uplink}")),
        _ => unknown("the kernel's settings can't be read"),
    }
}

pub(super) fn filter(seen: &Seen) -> Found {
    let (inner, uplink) = match both_ends(seen) {
        Ok(ends) => ends,
        Err(found) => return found,
    };
    if seen.condition(Hop::Forwarding) == Condition::Broken {
        return unknown("the host forwards nothing");
    }
    let rules = |hook| refused(seen.facts, "out-rules-before", "out-rules-after", hook);
    match Packets::of(seen) {
        None => unknown("no packet could be counted"),
        Some(Packets { sent: 0, .. }) => {
            unknown(format!("nothing that the guest sent came by {inner}"))
        }
        Some(Packets {
            to_be_forwarded: 0, ..
        }) => broken(format!(
            "what the guest sends beyond the host comes by {inner}, and is dropped before it is forwarded"
        ))
        .with(rules("prerouting").words("host")),
        Some(Packets { let_through: 0, .. }) => broken(format!(
            "what the guest sends to {uplink} does not get past the host's filters of forwarded packets"
        ))
        .with(rules("forward").words("host")),
        Some(_) => ok(format!("a packet to {uplink} got through")),
    }
}

pub(super) fn masquerade(seen: &Seen) -> Found {
    if let Err(found) = both_ends(seen) {
        return found;
    }
    let private = |address: Ipv4Addr| address.is_private() || address.is_link_local();
    match (Packets::of(seen), seen.address) {
        (
            Some(Packets {
                left_as_host: 1.., ..
            }),
            _,
        ) => ok("it leaves with the host's address"),
        (
            Some(Packets {
                left_as_guest: 1.., ..
            }),
            Some(address),
        ) => match seen.facts.fact("answered") {
            Some(fact) if fact.status == 0 => ok(format!("{address} is answered as it is")),
            Some(_) if private(address) => broken(format!(
                "what the guest sends leaves the host with its own {address}, and the router does not answer it"
            ))
            .with(words(seen)),
            _ => unknown(format!(
                "it leaves with the guest's own {address}, and there is no router to answer"
            )),
        },
        _ => unknown("nothing left the host"),
    }
}

pub(super) fn uplink(seen: &Seen) -> Found {
    // A host without a way out is as it may be: many a lab's has none.
    let Some(route) = default_route(seen) else {
        return unknown(if seen.facts.fact("host-routes").is_some() {
            "the host has no default route"
        } else if seen.address.is_none() {
            "there is no address to send from"
        } else {
            "it was not looked at"
        });
    };
    let link = route.dev.as_ref();
    let link = link.and_then(|name| seen.links.iter().find(|one| one.ifname == *name));
    let Some(link) = link else {
        return unknown("the link of the host's default route can't be seen");
    };
    let of = &link.ifname;
    let found = if !link.is_up() {
        broken(format!("the host's uplink {of} is down"))
    } else if !link.has_carrier() {
        broken(format!("the host's uplink {of} has no carrier"))
    } else if link.global().next().is_none() {
        broken(format!("the host's uplink {of} has no IPv4 address"))
    } else if let Some(router) = route.gateway.as_ref().filter(|_| silent(seen, link)) {
        broken(format!(
            "nobody answers ARP for the host's router {router} on {of}"
        ))
    } else {
        return ok(match &route.gateway {
            Some(router) => format!("{of}, to {router}"),
            None => of.clone(),
        });
    };
    found
        .with([format!("host: {}", link.words())])
        .with(words(seen))
}

/// Whether the router was asked for its hardware address, and nobody told one.
fn silent(seen: &Seen, link: &Interface) -> bool {
    let known: Vec<Neighbour> = seen.facts.json("router").unwrap_or_default();
    let lost = |state: &String| matches!(state.as_str(), "FAILED" | "INCOMPLETE");
    !link.flags.iter().any(|flag| flag == "NOARP")
        && known.iter().any(|one| one.state.iter().any(lost))
}

pub(super) fn name_servers(seen: &Seen) -> Found {
    if let Err(found) = both_ends(seen) {
        return found;
    }
    if default_route(seen).is_none() {
        return unknown("the host has no default route");
    }
    if let Some(asked) = seen.facts.said("name-servers-unknown") {
        let (stub, code) = answer(asked);
        return match code {
            Some(0 | 3) => ok(format!("{stub} answers, by servers that nobody named")),
            _ => broken("the guest was told no name server")
                .with([format!("its systemd-resolved at {stub} finds no name")])
                .with(words(seen)),
        };
    }
    let Some(asked) = seen.facts.said("name-servers") else {
        return match seen.facts.said("guest-resolver") {
            Some(conf) if !conf.lines().any(|line| line.starts_with("nameserver")) => {
                broken("the guest was told no name server")
            }
            _ => unknown("the guest's name servers can't be seen"),
        };
    };
    let asked: Vec<(&str, Option<u8>)> = asked.lines().map(answer).collect();
    let list = |answered: bool| {
        let those = asked.iter().filter(|one| one.1.is_some() == answered);
        those.map(|one| one.0).collect::<Vec<_>>().join(", ")
    };
    if asked.iter().any(|one| one.1.is_some()) {
        return ok(list(true));
    }
    broken(format!("no name server answers the guest: {}", list(false))).with(words(seen))
}

/// A server, and the code of its answer to a question, if there was one: 0 for an address, 3 for no such name.
fn answer(line: &str) -> (&str, Option<u8>) {
    let mut words = line.split_whitespace();
    let server = words.next().unwrap_or_default();
    let code = words.nth(3).and_then(|byte| byte.parse::<u8>().ok());
    (server, code.map(|byte| byte & 15))
}
