//! The host's firewall as a variable: which backend, which variant of NixOS' rules, which switches.

use spawnlab::prelude::*;

use crate::ruleset::Backend;

/// A variant of NixOS' rules.
#[derive(Debug, PartialEq, Eq)]
pub struct Variant {
    /// Its name on the command line.
    pub name: &'static str,
    /// The tag of the lines in `scenarios/rules` that make it, if any.
    tag: Option<&'static str>,
    /// The backends that it is meant for.
    backends: &'static [Backend],
}

/// The variants. One that has no line in a backend's rules is that backend as NixOS has it: this is
/// how nixpkgs' change, which knows iptables only, is on nftables.
pub const VARIANTS: [Variant; 5] = [
    Variant {
        name: "nixos",
        tag: None,
        backends: &Backend::ALL,
    },
    Variant {
        name: "nixpkgs-498177",
        tag: Some("nixpkgs-498177"),
        backends: &Backend::ALL,
    },
    Variant {
        name: "nixpkgs-498177-nft",
        tag: Some("nixpkgs-498177-nft"),
        backends: &[Backend::Nftables],
    },
    Variant {
        name: "workaround",
        tag: Some("workaround"),
        backends: &Backend::ALL,
    },
    Variant {
        name: "dhcp-from-anywhere",
        tag: Some("dhcp-from-anywhere"),
        backends: &Backend::ALL,
    },
];

/// An option of NixOS' firewall beside the variant. The tag of its lines is `NAME=VALUE`.
#[derive(Debug, PartialEq, Eq)]
pub struct FirewallOption {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it can be; NixOS' default first.
    pub values: &'static [&'static str],
    /// What it is when it is named without a value.
    alone: Option<&'static str>,
    /// The backends that know it.
    backends: &'static [Backend],
}

/// The switches.
pub const SWITCHES: [FirewallOption; 2] = [
    // networking.firewall.checkReversePath
    FirewallOption {
        name: "rpfilter",
        values: &["strict", "loose", "off"],
        alone: None,
        backends: &Backend::ALL,
    },
    // networking.firewall.filterForward, and with `containers` an extraForwardRules
    FirewallOption {
        name: "forward",
        values: &["off", "on", "containers"],
        alone: Some("on"),
        backends: &[Backend::Nftables],
    },
];

/// A host's firewall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Firewall {
    backend: Backend,
    variant: &'static Variant,
    /// Of each switch, in the order of [`SWITCHES`].
    values: [&'static str; SWITCHES.len()],
}

impl Firewall {
    /// Reads `off`, or `[BACKEND:]VARIANT[+SWITCH=VALUE]...`; on iptables, NixOS' default, where no
    /// backend is named.
    ///
    /// # Errors
    /// A message for the user that says what there is.
    pub fn read(text: &str) -> Result<Option<Self>, String> {
        if text == "off" {
            return Ok(None);
        }
        let (backend, rest) = text.split_once(':').unwrap_or(("iptables", text));
        let backend = Backend::ALL
            .into_iter()
            .find(|known| known.name() == backend)
            .ok_or_else(|| format!("{backend:?} is no backend; there are iptables and nftables"))?;
        let mut words = rest.split('+');
        let variant = words.next().unwrap_or_default();
        let mut firewall = Self {
            backend,
            variant: read_variant(variant, backend)?,
            values: SWITCHES.map(|switch| switch.values[0]),
        };
        let mut given = [false; SWITCHES.len()];
        for word in words {
            let (position, value) = read_switch(word, backend)?;
            if std::mem::replace(&mut given[position], true) {
                return Err(format!("{} is switched twice", SWITCHES[position].name));
            }
            firewall.values[position] = value;
        }
        Ok(Some(firewall))
    }

    /// The firewall that a scenario writes as [`Self::read`] reads it.
    ///
    /// # Panics
    /// When there is none of that name.
    #[must_use]
    pub fn written(text: &str) -> Self {
        match Self::read(text) {
            Ok(Some(firewall)) => firewall,
            other => panic!("{text} is no firewall: {other:?}"),
        }
    }

    /// NixOS' rules as they are, on `backend`.
    #[must_use]
    pub fn nixos(backend: Backend) -> Self {
        Self::written(&format!("{}:nixos", backend.name()))
    }

    /// The rules with nixpkgs' change 498177, and with our counterpart of it where that has none.
    #[must_use]
    pub fn nixpkgs_498177(backend: Backend) -> Self {
        Self::written(match backend {
            Backend::Iptables => "iptables:nixpkgs-498177",
            Backend::Nftables => "nftables:nixpkgs-498177-nft",
        })
    }

    /// The same with `switch` set to `value`.
    #[must_use]
    pub fn with(self, switch: &str, value: &str) -> Self {
        Self::written(&format!("{}+{switch}={value}", self.text()))
    }

    /// Every variant with every setting of the switches, on each backend that it is meant for.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for backend in Backend::ALL {
            for variant in VARIANTS.iter().filter(|it| it.backends.contains(&backend)) {
                let mut settings = vec![SWITCHES.map(|switch| switch.values[0])];
                for (position, switch) in SWITCHES.iter().enumerate() {
                    if switch.backends.contains(&backend) {
                        settings = settings
                            .iter()
                            .flat_map(|setting| {
                                switch.values.iter().map(|&value| {
                                    let mut setting = *setting;
                                    setting[position] = value;
                                    setting
                                })
                            })
                            .collect();
                    }
                }
                all.extend(settings.into_iter().map(|values| Self {
                    backend,
                    variant,
                    values,
                }));
            }
        }
        all
    }

    /// In how many things it departs from NixOS' defaults: the variant counts as one, and so does each
    /// switch.
    #[must_use]
    pub fn departures(self) -> usize {
        let switched = SWITCHES.iter().zip(self.values);
        let switched = switched.filter(|(switch, value)| *value != switch.values[0]);
        usize::from(self.variant.tag.is_some()) + switched.count()
    }

    /// As it is written on the command line, with what differs from NixOS' defaults.
    #[must_use]
    pub fn text(self) -> String {
        let mut text = format!("{}:{}", self.backend.name(), self.variant.name);
        for (switch, value) in SWITCHES.iter().zip(self.values) {
            if value != switch.values[0] {
                text = format!("{text}+{}={value}", switch.name);
            }
        }
        text
    }

    /// The same as a name of files: letters, digits and hyphens.
    #[must_use]
    pub fn name(self) -> String {
        self.text().replace([':', '+', '='], "-")
    }

    /// `BACKEND:VARIANT`, as the command line has it.
    #[must_use]
    pub fn given(self) -> String {
        format!("{}:{}", self.backend.name(), self.variant.name)
    }

    /// Its rules: what a layer under it is made of.
    #[must_use]
    pub fn rules(self) -> String {
        let switches = SWITCHES.iter().zip(self.values);
        let tags: Vec<String> = switches
            .map(|(switch, value)| format!("{}={value}", switch.name))
            .chain(self.variant.tag.map(str::to_owned))
            .collect();
        self.backend.rules(&tags)
    }

    /// A script that asks the kernel whether it takes [`Self::rules`], which it reads.
    #[must_use]
    pub fn check_script(self) -> &'static str {
        self.backend.check_script()
    }

    /// Whether the kernel's tool refuses the rules, which is known of the workaround on nftables
    /// (<https://github.com/fpletz/nixos-nspawn/issues/13>).
    #[must_use]
    pub fn is_refused(self) -> bool {
        (self.backend, self.variant.name) == (Backend::Nftables, "workaround")
    }

    /// Loads the rules on `host`, in place of those of an earlier load; a rule set that the kernel's
    /// tool refuses is an [`Output`].
    ///
    /// # Errors
    /// When the host can't be asked.
    pub async fn try_load(self, host: &Host) -> Result<Output, Error> {
        let limit = std::time::Duration::from_secs(30);
        host.execute_with(self.backend.load_script(), self.rules().as_bytes(), limit)
            .await
    }

    /// Loads the rules on `host`, in place of those of an earlier load.
    ///
    /// # Errors
    /// A failure of the assertion `the firewall loads` with the words of the tool that refused them.
    pub async fn load(self, host: &Host) -> Outcome {
        expect("the firewall loads").succeeded(self.try_load(host).await?)?;
        Ok(())
    }

    /// How many requests of guests for a lease the rules have refused.
    ///
    /// # Errors
    /// When the rules are not loaded.
    pub async fn refused(self, host: &Host) -> Result<u64, Error> {
        match self.backend {
            Backend::Nftables => self.counter(host, "refused-guests").await,
            Backend::Iptables => {
                let script = "iptables -vnxL nixos-fw-refuse | awk '/refused-guests/ { print $1 }'";
                number(host, script).await
            }
        }
    }

    /// How many requests of guests for a lease the rule has accepted that nixpkgs' change, or our
    /// counterpart of it, adds.
    ///
    /// # Errors
    /// When the rules are not loaded, or are those of another variant.
    pub async fn accepted(self, host: &Host) -> Result<u64, Error> {
        match self.backend {
            Backend::Nftables => self.counter(host, "accepted-guests").await,
            Backend::Iptables => {
                let script =
                    "iptables -vnxL nixos-fw | awk '$6 == \"ve-+\" && /dpt:67/ { print $1 }'";
                number(host, script).await
            }
        }
    }

    /// How many packets the reverse path filter has dropped, of both families.
    ///
    /// # Errors
    /// When the rules are not loaded, or have no such filter.
    pub async fn dropped_by_path(self, host: &Host) -> Result<u64, Error> {
        match self.backend {
            Backend::Nftables => self.counter(host, "dropped-rpfilter").await,
            Backend::Iptables => {
                let script = "{ iptables -t mangle -vnxL nixos-fw-rpfilter
                        ip6tables -t mangle -vnxL nixos-fw-rpfilter
                    } | awk '$3 == \"DROP\" { n += $1 } END { print n }'";
                number(host, script).await
            }
        }
    }

    /// The packets that a counter of the lab's in the nftables rules has seen.
    ///
    /// # Errors
    /// When there is no such counter.
    pub async fn counter(self, host: &Host, name: &str) -> Result<u64, Error> {
        let script = format!(
            "nft -j list counter inet nixos-fw {name} |
             jq '.nftables[] | select(.counter).counter.packets'"
        );
        number(host, &script).await
    }
}

async fn number(host: &Host, script: &str) -> Result<u64, Error> {
    let text = host.succeed(script).await?;
    text.trim()
        .parse()
        .map_err(|_| Error::answer("a counter of the firewall", text))
}

fn read_variant(name: &str, backend: Backend) -> Result<&'static Variant, String> {
    let variant = VARIANTS
        .iter()
        .find(|known| known.name == name)
        .ok_or_else(|| {
            let known: Vec<_> = VARIANTS.iter().map(|known| known.name).collect();
            format!(
                "{name:?} is no variant; there are off, {}",
                known.join(", ")
            )
        })?;
    if variant.backends.contains(&backend) {
        return Ok(variant);
    }
    let meant: Vec<_> = variant
        .backends
        .iter()
        .map(|backend| format!("{}:{name}", backend.name()))
        .collect();
    Err(format!(
        "{name} has no meaning on {}; write {}",
        backend.name(),
        meant.join(" or ")
    ))
}

/// The place of a switch in [`SWITCHES`], and what it is set to.
fn read_switch(word: &str, backend: Backend) -> Result<(usize, &'static str), String> {
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (word, None),
    };
    let known = || {
        let forms = SWITCHES
            .iter()
            .map(|switch| format!("{}={}", switch.name, switch.values.join("|")));
        forms.collect::<Vec<_>>().join(" and ")
    };
    let position = SWITCHES
        .iter()
        .position(|switch| switch.name == name)
        .ok_or_else(|| format!("{name:?} is no switch; there are {}", known()))?;
    let switch = &SWITCHES[position];
    if !switch.backends.contains(&backend) {
        return Err(format!(
            "{name} has no meaning on {}: NixOS filters what is forwarded on nftables only; write nftables:...+{word}",
            backend.name()
        ));
    }
    let found = match value {
        None => switch.alone,
        Some(value) => switch.values.iter().copied().find(|it| *it == value),
    };
    found.map(|value| (position, value)).ok_or_else(|| {
        format!(
            "{word:?} sets {name} to nothing that there is; write {name}={}",
            switch.values.join(&format!(" or {name}="))
        )
    })
}

#[cfg(test)]
#[path = "firewall_tests.rs"]
mod tests;
