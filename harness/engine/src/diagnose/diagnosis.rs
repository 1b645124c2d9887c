//! A diagnosis: what was found at each hop of the way to a container.

use serde::{Deserialize, Serialize};

use super::{Facts, gather, judge, text};
use crate::{
    util::error::{Error, Result},
    verdict::hop::Hop,
    vm::host::Host,
};

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

/// One hop of a diagnosis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The hop.
    pub hop: Hop,
    /// How it was found.
    pub condition: Condition,
    /// What was seen, in one line.
    pub seen: String,
    /// What this was told by, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<String>,
}

/// Where the walk leads: a container, and what is to answer in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The container's name.
    pub container: String,
    /// The unit in the guest that is to answer.
    pub service: String,
    /// The TCP port that it is to answer HTTP on.
    pub port: u16,
    /// Whether the service has to be there: a guest may well have none.
    pub demanded: bool,
}

impl Endpoint {
    /// To `container` and its web server, if it has one.
    #[must_use]
    pub fn to(container: &str) -> Self {
        Self {
            container: container.to_owned(),
            service: "nginx.service".into(),
            port: 80,
            demanded: false,
        }
    }
}

/// A walk that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// What was found out.
    pub facts: Facts,
    /// What it means, a step for each hop.
    pub steps: Vec<Step>,
}

/// The file of the evidence folder that holds the steps of a walk, as JSON.
pub const FILE: &str = "walk.json";
/// The file of the evidence folder that holds what the steps were judged by, as JSON.
pub const FACTS: &str = "facts.json";

/// Walks to `way` on `host`. A guest without a lease is made to ask for one again, and its request is
/// counted by a table of the host's firewall that is removed again; so is a packet that it sends to the host's router.
/// Nothing else is changed.
///
/// # Errors
/// When the lab fails. A host that does not answer any more is no error, but a broken hop.
pub async fn diagnose(host: &Host, endpoint: &Endpoint) -> Result<Diagnosis> {
    match gather::on(host, endpoint).await {
        Ok(facts) => Ok(Diagnosis::of(facts)),
        Err(error @ (Error::Agent(_) | Error::Timeout(_) | Error::Qemu(_))) => {
            Ok(Diagnosis::of_silent_host(endpoint, &error.to_string()))
        }
        Err(error) => Err(error),
    }
}

/// The same walk on the machine that this runs on, as root.
///
/// # Errors
/// When no shell can be started, or it does not end in two minutes.
pub async fn diagnose_here(endpoint: &Endpoint) -> Result<Diagnosis> {
    gather::here(endpoint).await.map(Diagnosis::of)
}

impl Diagnosis {
    /// Judges `facts`.
    #[must_use]
    pub fn of(facts: Facts) -> Self {
        let steps = judge::judge(&facts);
        Self { facts, steps }
    }

    pub(super) fn of_silent_host(endpoint: &Endpoint, why: &str) -> Self {
        let step = |hop| match hop {
            Hop::Host => Step {
                hop,
                condition: Condition::Broken,
                seen: "the host does not answer".into(),
                facts: vec![why.to_owned()],
            },
            hop => Step {
                hop,
                condition: Condition::Unknown,
                seen: "the host can't be asked".into(),
                facts: vec![],
            },
        };
        Self {
            facts: Facts::read(endpoint, ""),
            steps: Hop::ALL.into_iter().map(step).collect(),
        }
    }

    /// The first broken hop.
    #[must_use]
    pub fn broken(&self) -> Option<&Step> {
        broken(&self.steps)
    }

    /// What a person is told: one line that names the hop, and at most nine that show why.
    #[must_use]
    pub fn explanation(&self) -> Vec<String> {
        text::explanation(&self.facts.endpoint, &self.steps)
    }
}

/// The first broken hop.
#[must_use]
pub fn broken(steps: &[Step]) -> Option<&Step> {
    steps
        .iter()
        .find(|step| step.condition == Condition::Broken)
}
