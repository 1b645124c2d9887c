//! The rule sets of a NixOS host (`scenarios/rules`): which of their lines make a variant, and the
//! scripts that check and load them.

/// Which of NixOS' firewalls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// `networking.nftables.enable = true`.
    Nftables,
    /// NixOS' default.
    Iptables,
}

/// Asks the kernel whether it takes the nftables rules on standard input, and loads nothing.
const CHECK_NFTABLES: &str = "sed /^@extra$/d | nft --check --file -";

/// Loads nftables rules in one transaction. Other tables, systemd's own among them, stay.
const LOAD_NFTABLES: &str = "set -e
    mkdir -p /etc/lab/firewall
    sed -e '/^@extra$/r /etc/lab/firewall/extra.nft' -e '/^@extra$/d' >/etc/lab/firewall/nixos.nft
    nft --check --file /etc/lab/firewall/nixos.nft
    nft --file /etc/lab/firewall/nixos.nft";

/// The same for both tools of the other backend: `46`, `4` and `6` say which one a line is for.
const CHECK_IPTABLES: &str = "set -e
    rules=$(sed /^@extra$/d)
    printf '%s\\n' \"$rules\" | sed -n -e '/^[*C]/p' -e 's/^46\\{0,1\\} //p' | iptables-restore --test
    printf '%s\\n' \"$rules\" | sed -n -e '/^[*C]/p' -e 's/^4\\{0,1\\}6 //p' | ip6tables-restore --test";

/// Takes away what an earlier load left, as the start of NixOS' service does, and loads anew.
const LOAD_IPTABLES: &str = "set -e
    mkdir -p /etc/lab/firewall; cd /etc/lab/firewall
    sed -e '/^@extra$/r extra.iptables' -e '/^@extra$/d' >nixos.iptables
    for tool in iptables ip6tables; do
        if $tool -t mangle -S nixos-fw-rpfilter >/dev/null 2>&1; then
            printf '%s\\n' '*mangle' '-D PREROUTING -j nixos-fw-rpfilter' '-F nixos-fw-rpfilter' '-X nixos-fw-rpfilter' COMMIT |
                $tool-restore --noflush
        fi
        if $tool -S nixos-fw >/dev/null 2>&1; then
            { printf '%s\\n' '*filter' '-D INPUT -j nixos-fw'
              for chain in nixos-fw nixos-fw-accept nixos-fw-log-refuse nixos-fw-refuse; do
                  printf '%s\\n' \"-F $chain\" \"-X $chain\"
              done
              echo COMMIT
            } | $tool-restore --noflush
        fi
    done
    sed -n -e '/^[*C]/p' -e 's/^46\\{0,1\\} //p' nixos.iptables | iptables-restore --noflush
    sed -n -e '/^[*C]/p' -e 's/^4\\{0,1\\}6 //p' nixos.iptables | ip6tables-restore --noflush";

impl Backend {
    /// Both, the default first.
    pub const ALL: [Self; 2] = [Self::Iptables, Self::Nftables];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nftables => "nftables",
            Self::Iptables => "iptables",
        }
    }

    /// Its rules without tags, and those that have one of `tags`, in the form that the scripts take.
    #[must_use]
    pub fn rules(self, tags: &[String]) -> String {
        let text = match self {
            Self::Nftables => include_str!("../rules/nixos.nft"),
            Self::Iptables => include_str!("../rules/nixos.iptables"),
        };
        with_tags(text, tags)
    }

    /// A script that asks the kernel whether it takes the rules on its standard input.
    #[must_use]
    pub fn check_script(self) -> &'static str {
        match self {
            Self::Nftables => CHECK_NFTABLES,
            Self::Iptables => CHECK_IPTABLES,
        }
    }

    /// A script that loads the rules on its standard input, in place of those of an earlier load.
    #[must_use]
    pub fn load_script(self) -> &'static str {
        match self {
            Self::Nftables => LOAD_NFTABLES,
            Self::Iptables => LOAD_IPTABLES,
        }
    }
}

/// The lines of `text` without a tag, and those with one of `tags`, without it.
fn with_tags(text: &str, tags: &[String]) -> String {
    let mut rules = String::new();
    for line in text.lines() {
        let rule = match line
            .strip_prefix('[')
            .and_then(|rest| rest.split_once("] "))
        {
            None => line,
            Some((names, rule)) if names.split(' ').any(|name| tags.iter().any(|t| t == name)) => {
                rule
            }
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
    #[case(&[], "a\nd\n")]
    #[case(&["x"], "a\nb\nd\n")]
    #[case(&["y"], "a\nc\nd\n")]
    #[case(&["y", "x"], "a\nb\nc\nd\n")]
    #[case(&["z"], "a\nc\nd\n")]
    fn tagged_lines_are_there_when_asked_for(#[case] tags: &[&str], #[case] rules: &str) {
        let tags: Vec<String> = tags.iter().map(|&tag| tag.to_owned()).collect();
        assert_eq!(with_tags("a\n[x] b\n[y z] c\nd\n", &tags), rules);
    }

    #[rstest]
    #[case(Backend::Nftables, "nixpkgs-498177-nft", 3)]
    #[case(Backend::Nftables, "workaround", 1)]
    #[case(Backend::Iptables, "nixpkgs-498177", 4)]
    #[case(Backend::Iptables, "workaround", 1)]
    #[case(Backend::Nftables, "dhcp-from-anywhere", 1)]
    #[case(Backend::Iptables, "dhcp-from-anywhere", 1)]
    fn each_variant_adds_its_rules_and_no_more(
        #[case] backend: Backend,
        #[case] tag: &str,
        #[case] added: usize,
    ) {
        let (plain, tagged) = (backend.rules(&[]), backend.rules(&[tag.to_owned()]));
        assert_eq!(
            tagged.lines().count(),
            plain.lines().count() + added,
            "{tagged}"
        );
        let accepts = |text: &str| {
            let accept = |word: &str| word == "accept" || word == "nixos-fw-accept";
            let rules = text.lines().filter(|rule| rule.split(' ').any(accept));
            rules.map(str::to_owned).collect::<Vec<_>>()
        };
        let known = accepts(&plain);
        for rule in accepts(&tagged) {
            assert!(known.contains(&rule) || rule.contains("67"), "{rule}");
        }
    }
}
