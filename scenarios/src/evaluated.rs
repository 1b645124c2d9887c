//! What evaluating a NixOS host's configuration gave, as its image keeps it below `/etc/spawnlab/evaluated`
//! (`vm-images/nixos/evaluated.nix`).

use std::collections::BTreeMap;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use spawnlab::prelude::*;

/// `networking.firewall`, and the rules that its modules made of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rules {
    /// Whether there are any.
    pub enable: bool,
    /// `iptables`, `nftables` or `firewalld`.
    pub backend: String,
    /// The reverse path filter: `strict`, `loose` or `off`.
    pub reverse_path: String,
    /// The program that loads them, where the backend is iptables.
    pub start: Option<String>,
    /// The tables as `nft -f` reads them, where the backend is nftables.
    pub tables: Option<String>,
}

impl Rules {
    /// The unit of the host that loads them.
    #[must_use]
    pub fn unit(&self) -> &'static str {
        match self.backend.as_str() {
            "nftables" => "nftables.service",
            "firewalld" => "firewalld.service",
            _ => "firewall.service",
        }
    }
}

/// The files that the modules made for one container.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Settings {
    /// Sections of its `.nspawn` file, keys, and what the options have for each.
    pub nspawn: BTreeMap<String, BTreeMap<String, Value>>,
    /// The text of its unit's drop-in; none where the modules made a whole unit or nothing.
    pub dropin: Option<String>,
}

/// The rules of `host`.
///
/// # Errors
/// [`ScenarioError::Skipped`] where it has none, or its image says nothing of them.
pub async fn rules(host: &Host) -> Result<Rules, ScenarioError> {
    let rules: Rules = read(host, "firewall").await?;
    if rules.enable {
        return Ok(rules);
    }
    let why = "the host has no firewall: networking.firewall.enable is false";
    Err(ScenarioError::Skipped(why.into()))
}

/// The settings of the containers of `host`, by their names.
///
/// # Errors
/// [`ScenarioError::Skipped`] where its image says nothing of them.
pub async fn containers(host: &Host) -> Result<BTreeMap<String, Settings>, ScenarioError> {
    read(host, "containers").await
}

async fn read<T: DeserializeOwned>(host: &Host, name: &str) -> Result<T, ScenarioError> {
    let file = format!("/etc/spawnlab/evaluated/{name}.json");
    let output = host.execute(&format!("cat {file}")).await?;
    if !output.status.success() {
        let why = format!("the image keeps no {file}: it was built by another module");
        return Err(ScenarioError::Skipped(why));
    }
    serde_json::from_str(&output.stdout).map_err(|error| Error::answer(&file, error).into())
}

/// A file of sections and settings as systemd reads it: `SECTION.KEY`, and the values that it is given in their
/// order.
#[must_use]
pub fn written(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut section = String::new();
    let mut settings: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            name.clone_into(&mut section);
        } else if let Some((key, value)) = line.split_once('=') {
            let values = settings.entry(format!("{section}.{key}")).or_default();
            values.push(value.to_owned());
        }
    }
    settings
}

impl Settings {
    /// Its `.nspawn` file in the form of [`written`]: a list is a key that is repeated.
    #[must_use]
    pub fn nspawn_written(&self) -> BTreeMap<String, Vec<String>> {
        let mut settings = BTreeMap::new();
        for (section, keys) in &self.nspawn {
            for (key, value) in keys {
                let values: Vec<String> = match value {
                    Value::Array(values) => values.iter().map(text).collect(),
                    value => vec![text(value)],
                };
                if !values.is_empty() {
                    settings.insert(format!("{section}.{key}"), values);
                }
            }
        }
        settings
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_and_the_file_that_they_make_are_the_same() {
        let settings: Settings = serde_json::from_str(
            r#"{"dropin": null, "nspawn": {"Network": {},
                "Exec": {"Boot": false, "Environment": ["A=1", "B=2"], "Parameters": "/init"}, "Files": {"Bind": []}}}"#,
        )
        .expect("read");
        let file = "[Exec]\nBoot=false\nEnvironment=A=1\n# a comment\nEnvironment=B=2\nParameters=/init\n\n[Files]\n\n";
        assert_eq!(settings.nspawn_written(), written(file));
        assert_ne!(
            settings.nspawn_written(),
            written(&format!("{file}Bind=/srv\n"))
        );
        let swapped = file.replace("A=1", "B=2");
        assert_ne!(settings.nspawn_written(), written(&swapped));
    }

    #[test]
    fn each_backend_has_its_unit() {
        let rules = |backend: &str| Rules {
            enable: true,
            backend: backend.into(),
            reverse_path: "strict".into(),
            start: None,
            tables: None,
        };
        let units = ["iptables", "nftables", "firewalld"].map(|backend| rules(backend).unit());
        assert_eq!(
            units,
            ["firewall.service", "nftables.service", "firewalld.service"]
        );
    }
}
