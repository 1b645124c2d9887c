//! Names as values that were looked at once: what has one of these types needs no further thought about quoting.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// An attribute of `nixosConfigurations` in the flake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machine(String);

/// The name of a container on its host: what systemd accepts as a machine name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Container(String);

/// A host as ssh takes it: `[user@]host`, a name from the ssh configuration, or an IPv6 address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    user: Option<String>,
    host: String,
    /// IPv6 addresses are written bare for ssh and in brackets in a URL.
    ipv6: bool,
}

/// A machine and the container that is to run it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deployment {
    pub(crate) machine: Machine,
    pub(crate) container: Container,
}

/// What a container name may have: systemd checks it as a host name.
const CONTAINER_NAME_MAX: usize = 64;

impl FromStr for Machine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fine =
            |character: char| character.is_ascii_alphanumeric() || "._+-".contains(character);
        if text.is_empty() {
            return Err("a machine name is empty: give an attribute of nixosConfigurations".into());
        }
        if let Some(bad) = text.chars().find(|&character| !fine(character)) {
            return Err(format!(
                "machine name {text:?} holds {bad:?}: letters, digits and . _ + - can be written in a flake attribute \
                 without surprises, so rename the attribute"
            ));
        }
        if text.starts_with('-') {
            return Err(format!(
                "machine name {text:?} starts with a dash: rename the attribute"
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for Container {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let label = |label: &str| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .chars()
                    .all(|character| character.is_ascii_alphanumeric() || character == '-')
        };
        if text.len() > CONTAINER_NAME_MAX {
            return Err(format!(
                "container name {text:?} has {} characters: systemd accepts at most {CONTAINER_NAME_MAX}",
                text.len()
            ));
        }
        if !text.split('.').all(label) {
            return Err(format!(
                "container name {text:?} is not a name that systemd accepts: use letters, digits and dashes, with \
                 single dots between such parts (a machine with another name is deployed by giving a container name)"
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (user, host) = match text.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, text),
        };
        let plain = |part: &str, more: &str| {
            !part.is_empty()
                && !part.starts_with('-')
                && part
                    .chars()
                    .all(|character| character.is_ascii_alphanumeric() || more.contains(character))
        };
        let bare = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(host);
        let (address, zone) = bare
            .split_once('%')
            .map_or((bare, None), |(address, zone)| (address, Some(zone)));
        let ipv6 =
            address.parse::<Ipv6Addr>().is_ok() && zone.is_none_or(|zone| plain(zone, "._-"));
        if !ipv6 && host.contains(':') {
            return Err(format!(
                "target {text:?} holds a colon and is no IPv6 address: a port belongs in the ssh configuration, or \
                 into NIX_SSHOPTS as `-p PORT`"
            ));
        }
        if !ipv6 && !plain(host, "._-") || user.is_some_and(|user| !plain(user, "._-+")) {
            return Err(format!(
                "target {text:?} is not [user@]host: give what `ssh` would take, without ssh:// and path"
            ));
        }
        Ok(Self {
            user: user.map(str::to_owned),
            host: bare.to_owned(),
            ipv6,
        })
    }
}

impl Target {
    /// The destination as an argument of ssh.
    pub(crate) fn destination(&self) -> String {
        self.with_host(&self.host)
    }

    /// The store of the target as Nix names it.
    pub(crate) fn store(&self) -> String {
        let host = if self.ipv6 {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        format!("ssh-ng://{}", self.with_host(&host))
    }

    fn with_host(&self, host: &str) -> String {
        match &self.user {
            Some(user) => format!("{user}@{host}"),
            None => host.to_owned(),
        }
    }
}

impl Machine {
    /// The name, for messages and for a quoted attribute.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Container {
    /// The name, safe in a path, a unit name and a shell word.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Deployment {
    type Err = String;

    /// `MACHINE` or `MACHINE=CONTAINER`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (machine, container) = text.split_once('=').unwrap_or((text, text));
        Ok(Self {
            machine: machine.parse()?,
            container: container.parse()?,
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for Container {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.destination())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("web", true)]
    #[case("web.example.org", true)]
    #[case("a_b+c", true)]
    #[case("", false)]
    #[case("-v", false)]
    #[case("it's", false)]
    #[case("a\"b", false)]
    #[case("$(reboot)", false)]
    #[case("a^out", false)]
    #[case("a%20b", false)]
    #[case("zwei wörter", false)]
    fn machine_names(#[case] text: &str, #[case] valid: bool) {
        assert_eq!(text.parse::<Machine>().is_ok(), valid, "{text:?}");
    }

    #[rstest]
    #[case("web", true)]
    #[case("a-container-with-a-long-name", true)]
    #[case("web.prod", true)]
    #[case("", false)]
    #[case(".", false)]
    #[case("..", false)]
    #[case("../web", false)]
    #[case("a..b", false)]
    #[case("a_b", false)]
    #[case("-a", false)]
    #[case("a-", false)]
    #[case("a b", false)]
    #[case("a;reboot", false)]
    #[case("a\nb", false)]
    fn container_names(#[case] text: &str, #[case] valid: bool) {
        assert_eq!(text.parse::<Container>().is_ok(), valid, "{text:?}");
    }

    #[test]
    fn a_container_name_has_at_most_64_characters() {
        assert!("a".repeat(64).parse::<Container>().is_ok());
        assert!("a".repeat(65).parse::<Container>().is_err());
    }

    #[rstest]
    #[case("root@host", "root@host", "ssh-ng://root@host")]
    #[case("host.example.org", "host.example.org", "ssh-ng://host.example.org")]
    #[case("root@2001:db8::1", "root@2001:db8::1", "ssh-ng://root@[2001:db8::1]")]
    #[case("root@[::1]", "root@::1", "ssh-ng://root@[::1]")]
    fn targets(#[case] text: &str, #[case] destination: &str, #[case] store: &str) {
        let target: Target = text.parse().unwrap();
        assert_eq!(target.destination(), destination);
        assert_eq!(target.store(), store);
    }

    #[rstest]
    #[case("")]
    #[case("-oProxyCommand=x")]
    #[case("root@")]
    #[case("@host")]
    #[case("host:22")]
    #[case("ssh://host")]
    #[case("host;reboot")]
    #[case("host?remote-program=x")]
    #[case("root@fe80::1%eth0;x")]
    fn bad_targets(#[case] text: &str) {
        assert!(text.parse::<Target>().is_err(), "{text:?}");
    }

    #[test]
    fn a_deployment_names_its_container_only_when_it_differs() {
        let same: Deployment = "web".parse().unwrap();
        assert_eq!(same.container.as_str(), "web");
        let other: Deployment = "web=web-prod".parse().unwrap();
        assert_eq!(
            (other.machine.as_str(), other.container.as_str()),
            ("web", "web-prod")
        );
    }
}
