//! From others to the guest, by the host's ports.

use super::{Found, Seen, answer, broken, ok, unknown};

/// `Port=` of a `.nspawn` file: `PROTOCOL:HOST:GUEST`, where the protocol is TCP and the ports are the same unless
/// it says so.
#[derive(Debug, PartialEq, Eq)]
struct Forward<'a> {
    protocol: &'a str,
    host: u16,
    guest: u16,
}

impl<'a> Forward<'a> {
    fn read(spec: &'a str) -> Option<Self> {
        let (protocol, ports) = match spec.split_once(':') {
            Some((protocol @ ("tcp" | "udp" | "sctp"), ports)) => (protocol, ports),
            _ => ("tcp", spec),
        };
        let (host, guest) = ports.split_once(':').unwrap_or((ports, ports));
        Some(Self {
            protocol,
            host: host.parse().ok()?,
            guest: guest.parse().ok()?,
        })
    }

    /// Where the rules send what comes to the host's port: an address with a port.
    fn leads_to(&self, rules: &str) -> Option<String> {
        let Self { protocol, host, .. } = self;
        // An element of systemd's map, where others may stand on the same line.
        let element = format!("{protocol} . {host} : ");
        let by_map = rules.split(&element).nth(1).map(|rest| {
            let element = rest.split([',', '}']).next().unwrap_or_default();
            element.trim().replace(" . ", ":")
        });
        by_map.or_else(|| {
            let mut lines = rules.lines();
            let dport = format!("--dport {host} ");
            let line = lines
                .find(|line| line.contains(&format!("-p {protocol} ")) && line.contains(&dport))?;
            let to = line.split("--to-destination ").nth(1)?;
            Some(to.split_whitespace().next()?.to_owned())
        })
    }
}

pub(super) fn ports(seen: &Seen) -> Found {
    let Some(address) = seen.address else {
        return unknown("there is no address to lead to");
    };
    let Some(declared) = seen.facts.fact("ports") else {
        return unknown("it was not looked at");
    };
    let declared: Vec<&str> = declared.said.split_whitespace().collect();
    if declared.is_empty() {
        return ok("no Port= is declared");
    }
    let rules = seen.facts.said("forwards").unwrap_or_default();
    for spec in &declared {
        let Some(forward) = Forward::read(spec) else {
            return unknown(format!("Port={spec} can't be read"));
        };
        let wanted = format!("{address}:{}", forward.guest);
        let found = match forward.leads_to(rules) {
            None => broken(format!(
                "Port={spec} is declared, and no rule of the host's has it"
            )),
            Some(to) if to != wanted => broken(format!(
                "the host's port {} leads to {to}, and the guest has {address}",
                forward.host
            )),
            Some(_) if forward.protocol == "tcp" && refuses(seen, forward.host) => broken(format!(
                "the host's port {} takes no connections",
                forward.host
            ))
            .with([answer::listens_at(seen, forward.guest)]),
            Some(_) => continue,
        };
        return found.with([format!("declared: Port={}", declared.join(", Port="))]);
    }
    ok(declared.join(", "))
}

/// Whether a connection to the host's port, by the host's own address on the link, was tried in vain.
fn refuses(seen: &Seen, port: u16) -> bool {
    let tried = seen.facts.said("ports-answer").unwrap_or_default();
    let mut tried = tried
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>());
    let Some([_, status, connected]) = tried
        .find(|words| words.first() == Some(&port.to_string().as_str()))
        .and_then(|words| <[&str; 3]>::try_from(words).ok())
    else {
        return false;
    };
    // 7 is curl's for a connection that was refused; with another, one that took some time was made.
    status != "0" && (status == "7" || connected.parse().is_ok_and(|took: f64| took <= 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = "table ip io.systemd.nat {
	map map_port_ipport {
		type inet_proto . inet_service : ipv4_addr . inet_service
		elements = { tcp . 8088 : 192.168.22.91 . 80, udp . 53 : 192.168.22.91 . 5353 }
	}
}";

    #[rstest::rstest]
    #[case("tcp:8088:80", Some(("tcp", 8088, 80)))]
    #[case("8088", Some(("tcp", 8088, 8088)))]
    #[case("udp:53", Some(("udp", 53, 53)))]
    #[case("8088:80", Some(("tcp", 8088, 80)))]
    #[case("tcp:", None)]
    #[case("99999", None)]
    fn ports_are_read(#[case] spec: &str, #[case] read: Option<(&str, u16, u16)>) {
        let forward = Forward::read(spec);
        let forward = forward.map(|one| (one.protocol, one.host, one.guest));
        assert_eq!(forward, read);
    }

    #[rstest::rstest]
    #[case("tcp:8088:80", MAP, Some("192.168.22.91:80"))]
    #[case("udp:53:5353", MAP, Some("192.168.22.91:5353"))]
    #[case("tcp:53:5353", MAP, None)]
    #[case("tcp:808:80", MAP, None)]
    #[case(
        "tcp:8088:80",
        "-A PREROUTING -p tcp -m addrtype --dst-type LOCAL -m tcp --dport 8088 -j DNAT --to-destination 10.0.0.2:80",
        Some("10.0.0.2:80")
    )]
    fn where_a_rule_leads_is_read(
        #[case] spec: &str,
        #[case] rules: &str,
        #[case] to: Option<&str>,
    ) {
        let forward = Forward::read(spec).unwrap();
        assert_eq!(forward.leads_to(rules).as_deref(), to);
    }
}
