//! What facts mean: hop by hop, in the order in which one depends on another.
//!
//! What was seen is told even behind a broken hop. What could not be seen is unknown, and never guessed.

mod answer;
mod beyond;
mod boot;
mod forwards;
mod network;

use std::net::Ipv4Addr;

use super::{
    Condition, Step,
    facts::{Facts, Interface},
};
use crate::verdict::hop::Hop;

/// A hop's condition with what was seen.
struct Found {
    condition: Condition,
    seen: String,
    facts: Vec<String>,
}

fn ok(seen: impl Into<String>) -> Found {
    found(Condition::Ok, seen)
}

fn broken(seen: impl Into<String>) -> Found {
    found(Condition::Broken, seen)
}

fn unknown(seen: impl Into<String>) -> Found {
    found(Condition::Unknown, seen)
}

fn found(condition: Condition, seen: impl Into<String>) -> Found {
    Found {
        condition,
        seen: seen.into(),
        facts: vec![],
    }
}

impl Found {
    fn with(mut self, facts: impl IntoIterator<Item = String>) -> Self {
        self.facts.extend(facts);
        self
    }
}

/// The facts that more than one hop needs, read once.
struct Seen<'a> {
    facts: &'a Facts,
    unit: String,
    links: Vec<Interface>,
    /// The host's end.
    link: Option<Interface>,
    /// The guest's end.
    guest_link: Option<Interface>,
    /// The guest's address, as far as it is more than link-local.
    address: Option<Ipv4Addr>,
    /// Whether the container has the host's network and no link of its own.
    shared: bool,
    /// Whether the guest itself could be asked.
    answers: bool,
    /// What was found so far.
    steps: Vec<Step>,
}

pub(super) fn judge(facts: &Facts) -> Vec<Step> {
    let links: Vec<Interface> = facts.json("addresses").unwrap_or_default();
    let guest_links: Vec<Interface> = facts.json("guest-addresses").unwrap_or_default();
    let link = facts.said("link");
    let link = links.iter().find(|one| Some(one.ifname.as_str()) == link);
    let guest_link = guest_links.iter().find(|one| {
        link.is_some_and(|link| link.link_index == Some(one.ifindex)) || one.ifname == "host0"
    });
    let networks: Vec<&str> = facts.said("networks").unwrap_or_default().lines().collect();
    let mut seen = Seen {
        facts,
        unit: format!("systemd-nspawn@{}.service", facts.endpoint.container),
        link: link.cloned(),
        guest_link: guest_link.cloned(),
        address: facts.said("address").and_then(|text| text.parse().ok()),
        shared: networks.len() == 2 && networks[0] == networks[1],
        answers: facts.said("guest-state").is_some()
            || facts.fact("guest").is_some_and(|guest| guest.status == 0),
        links,
        steps: vec![],
    };
    for hop in Hop::ALL {
        let Found {
            condition,
            seen: what,
            facts,
        } = match hop {
            Hop::Host => boot::host(&seen),
            Hop::Declaration => boot::declaration(&seen),
            Hop::Profile => boot::profile(&seen),
            Hop::Unit => boot::unit(&seen),
            Hop::Machine => boot::machine(&seen),
            Hop::Guest => boot::guest(&seen),
            Hop::Link
            | Hop::Firewall
            | Hop::Lease
            | Hop::Route
            | Hop::Forwarding
            | Hop::ForwardFilter
            | Hop::Masquerade
            | Hop::NameServers
            | Hop::PortForwards
                if seen.shared =>
            {
                unknown("the container shares the host's network")
            }
            Hop::Link => network::link(&seen),
            Hop::Firewall => network::firewall(&seen),
            Hop::Lease => network::lease(&seen),
            Hop::Route => network::route(&seen),
            Hop::Name => answer::name(&seen),
            Hop::Port => answer::port(&seen),
            Hop::Service => answer::service(&seen),
            Hop::Forwarding => beyond::forwarding(&seen),
            Hop::ForwardFilter => beyond::filter(&seen),
            Hop::Masquerade => beyond::masquerade(&seen),
            Hop::Uplink => beyond::uplink(&seen),
            Hop::NameServers => beyond::name_servers(&seen),
            Hop::PortForwards => forwards::ports(&seen),
        };
        seen.steps.push(Step {
            hop,
            condition,
            seen: what,
            facts,
        });
    }
    seen.steps
}

impl Seen<'_> {
    fn condition(&self, hop: Hop) -> Condition {
        let step = self.steps.iter().find(|step| step.hop == hop);
        step.map_or(Condition::Unknown, |step| step.condition)
    }

    fn container(&self) -> &str {
        &self.facts.endpoint.container
    }

    /// The state of a unit, of the fact `name`, in words: `failed (exit-code, status 1)`.
    fn state(&self, name: &str) -> String {
        let field = |field| self.facts.field(name, field);
        let (active, sub) = (field("ActiveState"), field("SubState"));
        let result = field("Result");
        if matches!(result, "" | "success") {
            return format!("{active} ({sub})");
        }
        // 1 is CLD_EXITED, the rest are ends by a signal.
        let how = match field("ExecMainCode") {
            "" | "0" => String::new(),
            "1" => format!(", exit status {}", field("ExecMainStatus")),
            _ => format!(", signal {}", field("ExecMainStatus")),
        };
        format!("{active} ({result}{how})")
    }

    /// The last lines of the journal under the fact `name`, each with `of` in front.
    fn journal(&self, name: &str, of: &str) -> Vec<String> {
        let said = self.facts.said(name).unwrap_or_default();
        let lines = said.lines().filter(|line| !line.starts_with("-- "));
        lines.map(|line| format!("{of}: {line}")).collect()
    }

    /// Both ends of the link, as far as they can be seen.
    fn ends(&self) -> Vec<String> {
        let host = self
            .link
            .iter()
            .map(|link| format!("host: {}", link.words()));
        let guest = self.guest_link.iter();
        host.chain(guest.map(|link| format!("guest: {}", link.words())))
            .collect()
    }
}
