//! What tells the machines of one lab from each other, whatever layers they are clones of.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::{util::digest, vm::container::quote};

/// What a machine is called and addressed by in its lab's network. It follows from the machine's name and position:
/// the same lab has the same identities in every run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The name that its scenario gives it, and its host name.
    pub name: String,
    /// The hardware address of its card.
    pub mac: String,
    /// Its address in 198.51.100.0/24, a network that is set aside for documentation (RFC 5737).
    pub ipv4: Ipv4Addr,
    /// Its address in 2001:db8:89::/64, set aside in the same way (RFC 3849).
    pub ipv6: Ipv6Addr,
    /// Its link-local address, the one that its hardware address makes.
    pub link_local: Ipv6Addr,
    /// Its machine id.
    pub machine_id: String,
}

/// Where a machine finds its own identity and those of its neighbours; see `identity.sh`.
const SCRIPT: &str = include_str!("identity.sh");

impl Identity {
    /// That of the machine `name`, the one with this `position` among those of its lab, from 0.
    #[must_use]
    pub fn of(name: &str, position: u8) -> Self {
        let number = position + 1;
        Self {
            name: name.to_owned(),
            mac: format!("52:54:00:5b:00:{number:02x}"),
            ipv4: Ipv4Addr::new(198, 51, 100, number),
            ipv6: Ipv6Addr::new(0x2001, 0xdb8, 0x89, 0, 0, 0, 0, number.into()),
            link_local: Ipv6Addr::new(0xfe80, 0, 0, 0, 0x5054, 0xff, 0xfe5b, number.into()),
            machine_id: digest::of([b"machine".as_slice(), name.as_bytes()])[..32].to_owned(),
        }
    }

    /// What a machine that was just resumed runs to become this one among `all`.
    #[must_use]
    pub(crate) fn script(&self, all: &[Self]) -> String {
        let hosts: Vec<String> = all
            .iter()
            .flat_map(|it| {
                let name = &it.name;
                [format!("{} {name}", it.ipv4), format!("{} {name}", it.ipv6)]
            })
            .collect();
        let known: Vec<String> = all
            .iter()
            .map(|it| format!("{},{},{}", it.name, it.ipv4, it.ipv6))
            .collect();
        let names: Vec<&str> = all.iter().map(|it| it.name.as_str()).collect();
        format!(
            "name={} mac={} ipv4={} ipv6={} link_local={} id={} names={} hosts={} known={}\n{SCRIPT}",
            quote(&self.name),
            self.mac,
            self.ipv4,
            self.ipv6,
            self.link_local,
            self.machine_id,
            quote(&names.join("\\|")),
            quote(&hosts.join("\n")),
            known.join(","),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_machines_share_anything() {
        let names = ["laptop", "host", "outside"];
        let all: Vec<Identity> = (0..)
            .zip(names)
            .map(|(at, it)| Identity::of(it, at))
            .collect();
        for (at, one) in all.iter().enumerate() {
            assert_eq!(one.machine_id.len(), 32);
            for other in &all[at + 1..] {
                assert_ne!(one.mac, other.mac);
                assert_ne!(one.ipv4, other.ipv4);
                assert_ne!(one.ipv6, other.ipv6);
                assert_ne!(one.link_local, other.link_local);
                assert_ne!(one.machine_id, other.machine_id);
            }
        }
    }

    #[test]
    fn what_a_machine_runs_to_become_one_of_two() {
        let all = [Identity::of("laptop", 0), Identity::of("host", 1)];
        let script = all[0].script(&all);
        let head = script.strip_suffix(SCRIPT).expect("the script at its end");
        let head = head.replace(&all[0].machine_id, "ID");
        insta::assert_snapshot!(head, @r"
        name='laptop' mac=52:54:00:5b:00:01 ipv4=198.51.100.1 ipv6=2001:db8:89::1 link_local=fe80::5054:ff:fe5b:1 id=ID names='laptop\|host' hosts='198.51.100.1 laptop
        2001:db8:89::1 laptop
        198.51.100.2 host
        2001:db8:89::2 host' known=laptop,198.51.100.1,2001:db8:89::1,host,198.51.100.2,2001:db8:89::2
        ");
    }
}
