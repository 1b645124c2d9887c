//! From the name to an answer.

use std::net::Ipv4Addr;

use super::{Found, Seen, broken, network, ok, unknown};
use crate::{
    diagnose::{
        Condition,
        facts::{Fetched, Listener},
        filters::refused,
    },
    verdict::hop::Hop,
};

pub(super) fn name(seen: &Seen) -> Found {
    if seen.shared {
        return unknown("the container shares the host's network, and has no name of its own");
    }
    let name = seen.container();
    let said = seen.facts.said("name").unwrap_or_default();
    let first = said.split_whitespace().next();
    let resolved: Option<Ipv4Addr> = first.and_then(|word| word.parse().ok());
    let by = [
        seen.facts
            .said("hosts-file")
            .map(|lines| format!("/etc/hosts, line {}", lines.replace('\n', "; "))),
        seen.facts
            .said("nsswitch")
            .map(|order| format!("order of sources: {order}")),
    ];
    let found = match (resolved, seen.address) {
        (None, _) => broken(format!("the host finds no IPv4 address for {name}")),
        (Some(resolved), Some(address)) if resolved != address => broken(format!(
            "{name} is {resolved} to the host, and the guest has {address}"
        )),
        (Some(resolved), None) if resolved.is_link_local() => broken(format!(
            "{name} is {resolved} to the host, an address that nobody leased"
        )),
        (Some(resolved), _) => match stub(seen) {
            Some(found) => return found,
            None => return ok(resolved.to_string()),
        },
    };
    found.with(by.into_iter().flatten())
}

/// What is wrong with the guest's own resolver, if its programs are sent to systemd-resolved.
fn stub(seen: &Seen) -> Option<Found> {
    let conf = seen.facts.said("guest-resolver")?;
    let mut servers = conf
        .lines()
        .filter_map(|line| line.strip_prefix("nameserver"));
    let stub = servers.find_map(|server| match server.trim() {
        stub @ ("127.0.0.53" | "127.0.0.54") => Some(stub.to_owned()),
        _ => None,
    })?;
    let heard = |one: &Listener| one.udp && one.port == 53 && one.address == stub;
    (!listeners(seen).iter().any(heard)).then(|| {
        broken(format!(
            "the guest's resolver does not run: nothing answers at {stub}"
        ))
        .with([
            format!("the guest's resolv.conf: nameserver {stub}"),
            "the host finds the guest by name; the guest finds nobody".into(),
        ])
    })
}

fn listeners(seen: &Seen) -> Vec<Listener> {
    let said = seen.facts.said("guest-listens").unwrap_or_default();
    said.lines().filter_map(Listener::read).collect()
}

/// Who waits for connections at `port` of the guest, in words.
pub(super) fn listens_at(seen: &Seen, port: u16) -> String {
    let all = listeners(seen);
    let one = all.iter().find(|one| !one.udp && one.port == port);
    let who = one.map_or("nobody", |one| one.program.as_str());
    format!("listening at port {port} in the guest (ss): {who}")
}

/// Whether the service's unit is known and does not run.
fn service_is_down(seen: &Seen) -> bool {
    seen.facts.field("guest-service", "LoadState") == "loaded"
        && !matches!(
            seen.facts.field("guest-service", "ActiveState"),
            "active" | "reloading" | "refreshing"
        )
}

fn no_service(seen: &Seen) -> bool {
    !seen.facts.endpoint.demanded && seen.facts.field("guest-service", "LoadState") == "not-found"
}

pub(super) fn port(seen: &Seen) -> Found {
    let endpoint = &seen.facts.endpoint;
    let (service, port) = (&endpoint.service, endpoint.port);
    let (Some(address), Some(fetched)) = (seen.address, seen.facts.json::<Fetched>("by-address"))
    else {
        return unknown("there is no address to connect to");
    };
    if fetched.connected() {
        return ok(format!("{address}:{port} takes connections"));
    }
    if !network::passable(seen) {
        return unknown("there is no way to it");
    }
    let all = listeners(seen);
    let at_port: Vec<&Listener> = all
        .iter()
        .filter(|one| !one.udp && one.port == port)
        .collect();
    let addresses = |which: &mut dyn Iterator<Item = &Listener>| {
        let mut found: Vec<String> = which
            .map(|one| format!("{} at {}:{}", one.program, one.address, one.port))
            .collect();
        found.dedup();
        found.join(", ")
    };
    let listening = |text: String| {
        let text = if text.is_empty() {
            "nobody".into()
        } else {
            text
        };
        format!("listening in the guest (ss): {text}")
    };
    let guests = refused(
        seen.facts,
        "guest-rules-before",
        "guest-rules-after",
        "input",
    );
    let hosts = refused(seen.facts, "rules-before", "rules-after", "output");
    let counted = !guests.counted.is_empty() || !hosts.counted.is_empty();
    let heard = at_port.iter().any(|one| one.hears(address));
    // A rule that counted the attempt refused it, whoever listens behind it.
    if counted || heard {
        let listens = match at_port.iter().find(|one| one.hears(address)) {
            Some(one) => format!(", though {} listens", one.program),
            None => String::new(),
        };
        let addresses = addresses(&mut at_port.iter().copied());
        return broken(format!("{address}:{port} takes no connections{listens}"))
            .with(guests.words("guest"))
            .with(hosts.words("host"))
            .with([
                format!("curl: {}", fetched.complaint()),
                listening(addresses),
            ]);
    }
    if !at_port.is_empty() {
        let open_at = addresses(&mut at_port.iter().copied());
        return broken(format!(
            "port {port} is open, but not at {address}: {open_at}"
        ))
        .with([format!("curl: {}", fetched.complaint())]);
    }
    if service_is_down(seen) {
        return unknown(format!("nothing listens, for {service} does not run"));
    }
    if no_service(seen) {
        return unknown(format!(
            "the guest has no {service}, and nothing listens at port {port}"
        ));
    }
    let tcp = addresses(&mut all.iter().filter(|one| !one.udp));
    broken(format!("nothing listens at port {port} in the guest")).with([
        format!("{service}: {}", seen.state("guest-service")),
        listening(tcp),
        format!("curl: {}", fetched.complaint()),
    ])
}

pub(super) fn service(seen: &Seen) -> Found {
    let endpoint = &seen.facts.endpoint;
    let service = &endpoint.service;
    let load = seen.facts.field("guest-service", "LoadState");
    if seen.answers && service_is_down(seen) {
        return broken(format!("{service} is {}", seen.state("guest-service")))
            .with(seen.journal("guest-service-journal", "guest's journal"));
    }
    if seen.answers && endpoint.demanded && load != "loaded" && !load.is_empty() {
        return broken(format!("the guest has no {service}: it is {load}"));
    }
    let by_name: Option<Fetched> = seen.facts.json("by-name");
    let by_address: Option<Fetched> = seen.facts.json("by-address");
    let (Some(by_name), Some(by_address)) = (by_name, by_address) else {
        return unknown(if no_service(seen) && seen.answers {
            format!("the guest has no {service}")
        } else {
            "there is no address to ask".into()
        });
    };
    let unit = (load == "loaded").then(|| format!("{service}: {}", seen.state("guest-service")));
    match &by_address {
        fetched if !fetched.connected() => unknown("there is no connection"),
        fetched if fetched.http_code >= 500 => {
            broken(format!("it answers HTTP {}", fetched.http_code)).with(unit)
        }
        fetched if fetched.exitcode != 0 => broken("it takes connections and does not answer them")
            .with(unit)
            .with([format!("curl: {}", fetched.complaint())]),
        fetched if by_name.exitcode != 0 => match seen.condition(Hop::Name) {
            Condition::Ok => broken(format!(
                "it answers HTTP {} by address, and not by name",
                fetched.http_code
            ))
            .with([
                format!("curl: {}", by_name.complaint()),
                format!(
                    "connected to: {}",
                    by_name.remote_ip.as_deref().unwrap_or("nobody")
                ),
            ]),
            _ => ok(format!("HTTP {} by address", fetched.http_code)),
        },
        fetched => ok(format!("HTTP {}", fetched.http_code)),
    }
}
