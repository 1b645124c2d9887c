//! Walks the chain hop by hop and names the first that is broken.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{container::quote, error::Result, hop::Hop, host::Host};

/// How a hop was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// It does what it should.
    Ok,
    /// It does not.
    Broken,
    /// It can't be told here.
    Unknown,
}

/// One hop of a walk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The hop.
    pub hop: Hop,
    /// How it was found.
    pub condition: Condition,
    /// What was seen.
    pub seen: String,
}

/// The file of the evidence folder that holds the steps of a walk, as JSON.
pub const FILE: &str = "walk.json";

const SCRIPT: &str = include_str!("walk.sh");

/// Walks the chain of `container`. The guest is made to ask for a lease again if it has none, so
/// this is for hosts whose scenario is over.
///
/// # Errors
/// When the host can't be asked.
pub async fn walk(host: &Host, container: &str) -> Result<Vec<Step>> {
    let script = format!("set -- {}\n{SCRIPT}", quote(container));
    let output = host
        .execute_with(&script, b"", Duration::from_secs(60))
        .await?;
    Ok(output.stdout.lines().filter_map(parse).collect())
}

/// The first broken hop.
#[must_use]
pub fn broken(steps: &[Step]) -> Option<&Step> {
    steps
        .iter()
        .find(|step| step.condition == Condition::Broken)
}

fn parse(line: &str) -> Option<Step> {
    let mut words = line.splitn(3, ' ');
    let hop = words.next()?;
    let hop = Hop::ALL
        .into_iter()
        .find(|known| known.to_string() == hop)?;
    let condition = match words.next()? {
        "ok" => Condition::Ok,
        "broken" => Condition::Broken,
        "unknown" => Condition::Unknown,
        _ => return None,
    };
    Some(Step {
        hop,
        condition,
        seen: words.next().unwrap_or_default().trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_broken_hop_is_named_with_what_was_seen() {
        let text = "host ok 6.12\nlink ok ve-web\nfirewall broken 3 requests came, none got past\nlease broken 169.254.1.1\nrubbish\n";
        let steps: Vec<Step> = text.lines().filter_map(parse).collect();
        assert_eq!(steps.len(), 4);
        let first = broken(&steps).unwrap();
        assert_eq!(first.hop, Hop::Firewall);
        assert_eq!(first.seen, "3 requests came, none got past");
    }

    #[test]
    fn the_script_is_a_script() {
        let status = std::process::Command::new("/bin/sh")
            .args(["-n", "-c", SCRIPT])
            .status()
            .unwrap();
        assert!(status.success());
        for hop in Hop::ALL {
            assert!(
                SCRIPT.contains(&format!("say {hop} ")),
                "{hop} is not walked"
            );
        }
    }
}
