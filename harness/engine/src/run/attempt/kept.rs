//! Keeping the clones of an attempt, and bringing them back.

use std::{num::NonZeroU32, time::Duration};

use camino::Utf8Path;

use super::clones::{Clones, LAN, connected, folder, uplink};
use crate::{
    layer::kept::{self, Keeping, Kept},
    network::{Network, NetworkSpec, Saved},
    scenario::lab::Lab,
    util::{
        error::{Error, Result},
        scratch::Scratch,
    },
    vm::identity::Identity,
};

/// Longest time for reading what machines have sent before they stopped.
const LAST_FRAMES: Duration = Duration::from_secs(30);

impl Clones {
    /// Keeps all machines as they are at this instant, with what is in flight between them; they go on running.
    /// Returns whether they are kept.
    ///
    /// # Errors
    /// When they can't be saved. Nothing is left of them then.
    pub(super) async fn keep(&self) -> Result<bool> {
        let machines = self.lab.machines();
        let machines: Vec<Keeping<'_>> = machines
            .into_iter()
            .zip(&self.origins)
            .map(|(host, origin)| Keeping { host, origin })
            .collect();
        let Some(network) = self.lab.joined_by() else {
            return kept::keep(&machines, &self.evidence, async { Ok(None) }).await;
        };
        // First: so nobody hears anything of a machine that another one, which is stopped by then, could not answer.
        network.freeze();
        let in_flight = async {
            let saved = network.save(LAST_FRAMES).await?;
            let saved = serde_json::to_value(saved).map_err(std::io::Error::from)?;
            Ok(Some(saved))
        };
        let kept = kept::keep(&machines, &self.evidence, in_flight).await;
        network.thaw();
        kept
    }

    /// Brings back what `kept` has, its machines all at one moment. Their logs go below `dir`.
    ///
    /// # Errors
    /// When a machine can't be loaded, does not answer, or does not come to its network.
    pub(in crate::run) async fn resumed(kept: &Kept, dir: &Utf8Path) -> Result<Self> {
        let names: Vec<&str> = kept.machines().map(|(name, _)| name).collect();
        if let ([name], None) = (names.as_slice(), kept.network()) {
            let host = kept.loaded(name, None, dir).await?;
            host.go_on().await?;
            kept.awake(name, &host).await?;
            return Ok(Self::open(Lab::new(host, NonZeroU32::MIN), dir, None));
        }
        let saved: Option<Saved> = kept
            .network()
            .and_then(|saved| serde_json::from_value(saved.clone()).ok());
        let Some(saved) = saved else {
            return Err(Error::Machine(
                "the lab can't be resumed: what was kept of its network can't be read; run its scenario again with --keep".into(),
            ));
        };
        let sockets = Scratch::new()?;
        let network = Network::open(NetworkSpec {
            folder: sockets.path().to_owned(),
            name: LAN.into(),
            seed: saved.seed,
            machines: names.iter().map(|name| (*name).to_owned()).collect(),
            recording: None,
            saved: Some(saved),
        })?;
        let mut hosts = vec![];
        for (position, name) in (0..).zip(&names) {
            let identity = Identity::of(name, position);
            let uplink = uplink(&network, &identity)?;
            let evidence = folder(dir, name)?;
            let host = kept.loaded(name, Some(uplink), &evidence).await?;
            hosts.push(host.with_identity(identity));
        }
        connected(&network, &hosts).await?;
        for host in &hosts {
            host.go_on().await?;
        }
        network.thaw();
        for (name, host) in names.iter().zip(&hosts) {
            kept.awake(name, host).await?;
        }
        let lab = Lab::joined(hosts, network, NonZeroU32::MIN);
        Ok(Self::open(lab, dir, Some(sockets)))
    }
}
