//! The file as TOML has it, before anything is checked that serde does not check.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFile {
    #[serde(default)]
    pub(super) target: RawTarget,
    /// Steps that several scenarios share, by the name that they take them by.
    #[serde(default)]
    pub(super) steps: BTreeMap<Spanned<String>, Vec<Spanned<RawStep>>>,
    #[serde(default)]
    pub(super) scenario: Vec<Spanned<RawScenario>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTarget {
    pub(super) image: Option<Spanned<String>>,
    pub(super) nixpkgs: Option<Spanned<String>>,
    pub(super) host_modules: Option<Vec<String>>,
    pub(super) guest: Option<Spanned<String>>,
    pub(super) tool: Option<Spanned<String>>,
    pub(super) promises: Option<Vec<Spanned<String>>>,
    pub(super) firewall: Option<Spanned<String>>,
    pub(super) flake: Option<Spanned<String>>,
    pub(super) containers: Option<Spanned<String>>,
    pub(super) deploy: Option<Vec<Spanned<RawDeploy>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDeploy {
    pub(super) machine: Spanned<String>,
    pub(super) container: Option<Spanned<String>>,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMachine {
    pub(super) name: Spanned<String>,
    pub(super) from: Option<Spanned<String>>,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub(super) struct RawScenario {
    pub(super) name: Spanned<String>,
    pub(super) claim: Spanned<String>,
    pub(super) from: Option<Spanned<String>>,
    pub(super) machines: Option<Spanned<Vec<Spanned<RawMachine>>>>,
    #[serde(default)]
    pub(super) case: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) needs: Vec<Spanned<String>>,
    pub(super) limit: Option<Spanned<u64>>,
    #[serde(default)]
    pub(super) step: Vec<Spanned<RawStep>>,
    #[serde(default)]
    pub(super) saboteur: Vec<Spanned<RawSaboteur>>,
}

/// Declares [`RawStep`] with what is to be known of its keys: which are verbs, and which hold text that a case fills in.
macro_rules! step {
    (
        verbs { $($kind:ident $verb:ident,)* }
        texts { $($(#[$renamed:meta])? $text:ident,)* }
        others { $($other:ident: $of:ty,)* }
    ) => {
        #[derive(Deserialize, Clone, Default, PartialEq)]
        #[serde(deny_unknown_fields)]
        pub(super) struct RawStep {
            $(pub(super) $verb: Option<Spanned<step!(@type $kind)>>,)*
            $($(#[$renamed])? pub(super) $text: Option<Spanned<String>>,)*
            $(pub(super) $other: Option<Spanned<$of>>,)*
            #[serde(default)]
            pub(super) env: BTreeMap<Spanned<String>, Spanned<String>>,
        }

        impl RawStep {
            /// The keys that say what a step does.
            pub(super) const VERBS: &[&str] = &[$(stringify!($verb)),*];

            /// Its texts, but for what is inside of lists and tables.
            pub(super) fn texts(&mut self) -> impl Iterator<Item = &mut Spanned<String>> {
                let verbs = [$(step!(@text $kind self.$verb)),*];
                let texts = [$(self.$text.as_mut()),*];
                verbs.into_iter().chain(texts).flatten()
            }
        }
    };
    (@type text) => { String };
    (@type port) => { u16 };
    (@text text $field:expr) => { $field.as_mut() };
    (@text port $field:expr) => { None };
}

step! {
    verbs {
        text succeed, text fail, text execute, text wait_until_succeeds, text wait_until_fails, text wait_for_unit,
        port wait_for_open_port, text wait_for_lease, text wait_for_name, text deploy, text deploy_fails, text put_file,
        text impair, text cut, text heal, text steps,
    }
    texts {
        into, to, flake, text, from, mode,
        #[serde(rename = "as")] user,
        #[serde(rename = "in")] container,
        on, direction, called,
    }
    others {
        flags: Vec<Spanned<String>>, with: RawImpairment, within: u64, status: i32, stdout: RawText, stderr: RawText,
    }
}

#[derive(Deserialize, Clone, PartialEq)]
#[serde(deny_unknown_fields)]
pub(super) struct RawText {
    pub(super) equals: Option<Spanned<String>>,
    pub(super) contains: Option<Spanned<String>>,
    pub(super) lacks: Option<Spanned<String>>,
    pub(super) matches: Option<Spanned<String>>,
}

#[derive(Deserialize, Clone, PartialEq)]
#[serde(deny_unknown_fields)]
pub(super) struct RawImpairment {
    pub(super) loss: Option<Spanned<f64>>,
    pub(super) duplicate: Option<Spanned<f64>>,
    pub(super) reorder: Option<Spanned<f64>>,
    pub(super) corrupt: Option<Spanned<f64>>,
    pub(super) delay: Option<Spanned<String>>,
    pub(super) jitter: Option<Spanned<String>>,
    pub(super) rate: Option<Spanned<String>>,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSaboteur {
    pub(super) name: Spanned<String>,
    pub(super) on: Option<Spanned<String>>,
    pub(super) script: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) cut: bool,
    pub(super) fails: Spanned<String>,
    pub(super) spares: Spanned<String>,
}
