//! The clones of an attempt: one by itself, or several that are joined to a lab.

use std::{io::Read, num::NonZeroU32, sync::Arc, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use tokio::task::JoinSet;

use crate::{
    layer::{kept::Origin, saved::Layer},
    network::{Network, NetworkSpec, Recording},
    scenario::{DiskLog, Scenario, lab::Lab},
    util::{
        error::{Error, Result},
        scratch::Scratch,
    },
    vm::{host::Host, identity::Identity, qemu::args::Uplink},
};

/// The network between the machines of a lab, in its evidence folder: its seed, who is in it, and what went over it.
pub const NETWORK: &str = "network.json";

/// The frames that went over the network between the machines of a lab, as pcapng, in its evidence folder.
pub const FRAMES: &str = "lan.pcapng";

/// Name of the network between the machines of a lab.
pub(super) const LAN: &str = "lan";

/// Longest time for all of a lab's QEMUs to call their network.
const CONNECTED: Duration = Duration::from_secs(60);

/// Running clones, and what has to be there as long as they run.
#[derive(Debug)]
pub(in crate::run) struct Clones {
    pub(in crate::run) lab: Lab,
    /// What each machine is a clone of, in their order; empty for machines that were kept.
    pub(super) origins: Vec<Origin>,
    about: Option<About>,
    pub(super) evidence: Utf8PathBuf,
    // The folder of the network's sockets. Declared last: it goes when QEMU and network are gone.
    _sockets: Option<Scratch>,
}

/// What [`NETWORK`] holds.
#[derive(Debug, Serialize)]
struct About {
    name: &'static str,
    /// What decides the fate of frames on an impaired link.
    seed: u64,
    machines: Vec<AboutMachine>,
    statistics: serde_json::Value,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct AboutMachine {
    name: String,
    layer: String,
    mac: String,
    ipv4: String,
    ipv6: String,
}

impl Clones {
    /// Starts a clone of each of `layers`, in the order of the machines of `scenario`. Evidence of a lab of several
    /// goes into a folder for each below `dir`.
    ///
    /// # Errors
    /// When a clone can't be started, or does not come to its network.
    pub(in crate::run) async fn start(
        scenario: &Scenario,
        layers: &[&Arc<Layer>],
        iterations: NonZeroU32,
        dir: &Utf8Path,
    ) -> Result<Self> {
        if let [layer] = layers {
            let (lab, origin) = match scenario.disk {
                DiskLog::Unlogged => {
                    let (host, origin) = layer.host_to_keep(None, dir).await?;
                    (Lab::new(host, iterations), origin)
                }
                DiskLog::Logged => {
                    let (host, origin, disk) = layer.host_on_logged_disk(dir).await?;
                    (Lab::on_logged_disk(host, disk, iterations), origin)
                }
            };
            return Ok(Self {
                origins: vec![origin],
                ..Self::open(lab, dir, None)
            });
        }
        let machines: Vec<(&str, &Arc<Layer>)> = scenario
            .machines
            .iter()
            .map(|machine| machine.name)
            .zip(layers.iter().copied())
            .collect();
        let recording = Recording::new(dir.join(FRAMES));
        Self::of_several(&machines, Some(recording), iterations, dir).await
    }

    /// Starts a clone for each of `machines`, joined by a network that is recorded as `recording` says. Evidence goes into a folder for
    /// each below `dir`.
    ///
    /// # Errors
    /// When a clone can't be started, or does not come to its network.
    pub(in crate::run) async fn of_several(
        machines: &[(&str, &Arc<Layer>)],
        recording: Option<Recording>,
        iterations: NonZeroU32,
        dir: &Utf8Path,
    ) -> Result<Self> {
        let identities: Vec<Identity> = (0..)
            .zip(machines)
            .map(|(position, (name, _))| Identity::of(name, position))
            .collect();
        let seed = seed()?;
        let sockets = Scratch::new()?;
        let network = Network::open(NetworkSpec {
            folder: sockets.path().to_owned(),
            name: LAN.into(),
            seed,
            machines: identities.iter().map(|it| it.name.clone()).collect(),
            recording,
            saved: None,
        })?;
        let about = About {
            name: LAN,
            seed,
            machines: about(&identities, machines),
            statistics: serde_json::Value::Null,
            notes: vec![],
        };
        keep(dir, &about);
        let (hosts, origins) = joined(&network, machines, &identities, dir).await?;
        connected(&network, &hosts).await?;
        let lab = Lab::joined(hosts, network, iterations);
        Ok(Self {
            origins,
            about: Some(about),
            ..Self::open(lab, dir, Some(sockets))
        })
    }

    /// The machines of `lab`, of which nothing is noted when they end.
    pub(in crate::run) fn open(lab: Lab, dir: &Utf8Path, sockets: Option<Scratch>) -> Self {
        Self {
            lab,
            origins: vec![],
            about: None,
            evidence: dir.to_owned(),
            _sockets: sockets,
        }
    }

    /// The line of a report on what decided the fate of this lab's frames.
    pub(super) fn seed(&self) -> Option<String> {
        let about = self.about.as_ref()?;
        Some(format!(
            "network {}: seed {}, recorded in {FRAMES}",
            about.name, about.seed
        ))
    }

    /// Ends the machines and completes what is kept of their network.
    ///
    /// # Errors
    /// When a machine does not end well; the others are ended all the same.
    pub(in crate::run) async fn end(self) -> Result<()> {
        let (machines, network) = self.lab.into_parts();
        let mut origins = self.origins.into_iter();
        let mut ended = Ok(());
        for host in machines {
            if let Some(origin) = origins.next() {
                origin.measured(&host);
            }
            ended = ended.and(host.shut_down().await);
        }
        if let (Some(network), Some(mut about)) = (network, self.about) {
            about.statistics = serde_json::to_value(network.statistics()).unwrap_or_default();
            about.notes = network.notes();
            keep(&self.evidence, &about);
            if let Err(error) = network.close().await {
                tracing::warn!(%error, "the recording of the network is not whole");
            }
        }
        ended
    }
}

/// Waits until all of `hosts` have called their network.
pub(super) async fn connected(network: &Network, hosts: &[Host]) -> Result<()> {
    let limit = hosts
        .first()
        .map_or(CONNECTED, |host| host.limit(CONNECTED));
    network.wait_connected(limit).await
}

/// The network card of the machine with this `identity`.
pub(super) fn uplink(network: &Network, identity: &Identity) -> Result<Uplink> {
    Ok(Uplink {
        socket: network.socket(&identity.name)?.to_owned(),
        mac: identity.mac.clone(),
    })
}

/// The folder below `dir` for what is kept of the machine `name`; it is made.
pub(super) fn folder(dir: &Utf8Path, name: &str) -> Result<Utf8PathBuf> {
    let folder = dir.join(name);
    fs_err::create_dir_all(&folder)?;
    Ok(folder)
}

/// Clones of all of `machines` at once, each in `network` and with its identity.
async fn joined(
    network: &Network,
    machines: &[(&str, &Arc<Layer>)],
    identities: &[Identity],
    dir: &Utf8Path,
) -> Result<(Vec<Host>, Vec<Origin>)> {
    // Dropped with what was started, if one of them fails.
    let mut starting = JoinSet::new();
    for (position, ((name, layer), identity)) in machines.iter().zip(identities).enumerate() {
        let uplink = uplink(network, identity)?;
        let evidence = folder(dir, name)?;
        let (layer, identity, all) = (Arc::clone(layer), identity.clone(), identities.to_vec());
        starting.spawn(async move {
            let (host, origin) = layer.host_to_keep(Some(uplink), &evidence).await?;
            let host = host.with_identity(identity);
            host.identify(&all).await?;
            Ok::<_, Error>((position, host, origin))
        });
    }
    let mut started = vec![];
    while let Some(one) = starting.join_next().await {
        let lost = |error| Error::Machine(format!("starting a machine of the lab: {error}"));
        started.push(one.map_err(lost)??);
    }
    started.sort_by_key(|(position, ..)| *position);
    Ok(started
        .into_iter()
        .map(|(_, host, origin)| (host, origin))
        .unzip())
}

fn about(identities: &[Identity], machines: &[(&str, &Arc<Layer>)]) -> Vec<AboutMachine> {
    let both = identities.iter().zip(machines);
    both.map(|(identity, (_, layer))| AboutMachine {
        name: identity.name.clone(),
        layer: layer.name().to_owned(),
        mac: identity.mac.clone(),
        ipv4: identity.ipv4.to_string(),
        ipv6: identity.ipv6.to_string(),
    })
    .collect()
}

fn keep(dir: &Utf8Path, about: &About) {
    let text = serde_json::to_vec_pretty(about).unwrap_or_default();
    if let Err(error) = fs_err::write(dir.join(NETWORK), text) {
        tracing::warn!(%error, "evidence is missing");
    }
}

/// One that no other lab has.
fn seed() -> Result<u64> {
    let mut bytes = [0; 8];
    fs_err::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    // A number that every reader of JSON takes as it is.
    Ok(u64::from_le_bytes(bytes) >> 12)
}
