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

#[derive(Deserialize, Clone, Default, PartialEq)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStep {
    pub(super) succeed: Option<Spanned<String>>,
    pub(super) fail: Option<Spanned<String>>,
    pub(super) execute: Option<Spanned<String>>,
    pub(super) wait_until_succeeds: Option<Spanned<String>>,
    pub(super) wait_until_fails: Option<Spanned<String>>,
    pub(super) wait_for_unit: Option<Spanned<String>>,
    pub(super) wait_for_open_port: Option<Spanned<u16>>,
    pub(super) wait_for_lease: Option<Spanned<String>>,
    pub(super) wait_for_name: Option<Spanned<String>>,
    pub(super) deploy: Option<Spanned<String>>,
    pub(super) deploy_fails: Option<Spanned<String>>,
    pub(super) put_file: Option<Spanned<String>>,
    pub(super) impair: Option<Spanned<String>>,
    pub(super) cut: Option<Spanned<String>>,
    pub(super) heal: Option<Spanned<String>>,
    pub(super) steps: Option<Spanned<String>>,
    pub(super) into: Option<Spanned<String>>,
    pub(super) to: Option<Spanned<String>>,
    pub(super) flags: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) flake: Option<Spanned<String>>,
    pub(super) text: Option<Spanned<String>>,
    pub(super) from: Option<Spanned<String>>,
    pub(super) mode: Option<Spanned<String>>,
    #[serde(rename = "as")]
    pub(super) user: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) env: BTreeMap<Spanned<String>, Spanned<String>>,
    #[serde(rename = "in")]
    pub(super) container: Option<Spanned<String>>,
    pub(super) on: Option<Spanned<String>>,
    pub(super) with: Option<Spanned<RawImpairment>>,
    pub(super) direction: Option<Spanned<String>>,
    pub(super) called: Option<Spanned<String>>,
    pub(super) within: Option<Spanned<u64>>,
    pub(super) status: Option<Spanned<i32>>,
    pub(super) stdout: Option<Spanned<RawText>>,
    pub(super) stderr: Option<Spanned<RawText>>,
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
