//! Loading the rule sets of a NixOS host (`scenarios/rules`), and counting what they refuse.

use spawnlab::prelude::*;

/// Which of NixOS' firewalls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// `networking.nftables.enable = true`.
    Nftables,
    /// NixOS' default.
    Iptables,
}

/// Loads nftables rules in one transaction. Other tables, systemd's own among them, stay.
const LOAD_NFTABLES: &str = "set -e
    mkdir -p /etc/lab/firewall
    sed -e '/^@extra$/r /etc/lab/firewall/extra.nft' -e '/^@extra$/d' >/etc/lab/firewall/nixos.nft
    nft --check --file /etc/lab/firewall/nixos.nft
    nft --file /etc/lab/firewall/nixos.nft";

/// The same for both tools of the other backend: `46`, `4` and `6` say which one a line is for.
const LOAD_IPTABLES: &str = "set -e
    mkdir -p /etc/lab/firewall; cd /etc/lab/firewall
    sed -e '/^@extra$/r extra.iptables' -e '/^@extra$/d' >nixos.iptables
    sed -n -e '/^[*C]/p' -e 's/^46\\{0,1\\} //p' nixos.iptables | iptables-restore --noflush
    sed -n -e '/^[*C]/p' -e 's/^4\\{0,1\\}6 //p' nixos.iptables | ip6tables-restore --noflush";

impl Backend {
    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nftables => "nftables",
            Self::Iptables => "iptables",
        }
    }

    /// Both, the default first.
    pub const ALL: [Self; 2] = [Self::Iptables, Self::Nftables];

    /// Its rules, with those that are tagged `tag`, in the form that [`Self::load`] loads.
    #[must_use]
    pub fn rules(self, tag: Option<&str>) -> String {
        let text = match self {
            Self::Nftables => include_str!("../rules/nixos.nft"),
            Self::Iptables => include_str!("../rules/nixos.iptables"),
        };
        with_tag(text, tag)
    }

    /// Loads them; a rule set that the kernel's tool refuses is an [`Output`].
    ///
    /// # Errors
    /// When the host can't be asked.
    pub async fn load(self, host: &Host, tag: Option<&str>) -> Result<Output> {
        let script = match self {
            Self::Nftables => LOAD_NFTABLES,
            Self::Iptables => LOAD_IPTABLES,
        };
        let limit = std::time::Duration::from_secs(30);
        host.execute_with(script, self.rules(tag).as_bytes(), limit)
            .await
    }

    /// How many IPv4 packets to UDP port 67 were refused that came from `whom`: `guests` or `uplink`.
    ///
    /// # Errors
    /// When the rules are not loaded.
    pub async fn refused(self, host: &Host, whom: &str) -> Result<u64> {
        let script = match self {
            Self::Nftables => format!(
                "nft -j list counter inet nixos-fw refused-{whom} |
                 jq '.nftables[] | select(.counter).counter.packets'"
            ),
            Self::Iptables => {
                format!("iptables -vnxL nixos-fw-refuse | awk '/refused-{whom}/ {{ print $1 }}'")
            }
        };
        let text = host.succeed(&script).await?;
        text.trim()
            .parse()
            .map_err(|_| Error::answer("the counter of refused packets", text))
    }
}

/// The lines of `text` without a tag, and those with `tag`, without it.
fn with_tag(text: &str, tag: Option<&str>) -> String {
    let mut rules = String::new();
    for line in text.lines() {
        let rule = match line
            .strip_prefix('[')
            .and_then(|rest| rest.split_once("] "))
        {
            None => line,
            Some((name, rule)) if Some(name) == tag => rule,
            Some(_) => continue,
        };
        rules.push_str(rule);
        rules.push('\n');
    }
    rules
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(None, "a\nd\n")]
    #[case(Some("x"), "a\nb\nd\n")]
    #[case(Some("y"), "a\nc\nd\n")]
    fn tagged_lines_are_there_when_asked_for(#[case] tag: Option<&str>, #[case] rules: &str) {
        assert_eq!(with_tag("a\n[x] b\n[y] c\nd\n", tag), rules);
    }

    #[rstest]
    #[case(Backend::Nftables, "nixpkgs-498177-nft", 1)]
    #[case(Backend::Nftables, "workaround", 1)]
    #[case(Backend::Iptables, "nixpkgs-498177", 4)]
    #[case(Backend::Iptables, "workaround", 1)]
    #[case(Backend::Nftables, "dhcp-from-anywhere", 1)]
    #[case(Backend::Iptables, "dhcp-from-anywhere", 1)]
    fn each_tag_adds_its_rules_and_no_more(
        #[case] backend: Backend,
        #[case] tag: &str,
        #[case] added: usize,
    ) {
        let (plain, tagged) = (backend.rules(None), backend.rules(Some(tag)));
        let new: Vec<&str> = tagged
            .lines()
            .filter(|line| !plain.lines().any(|known| known == *line))
            .collect();
        assert_eq!(new.len(), added, "{new:?}");
        assert!(new.iter().all(|rule| rule.contains("67")), "{new:?}");
        assert_eq!(tagged.lines().count(), plain.lines().count() + added);
    }
}
