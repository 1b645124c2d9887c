//! What a scenario's body receives.

use std::{num::NonZeroU32, time::Duration};

use super::power::Power;
use crate::{
    layer::logged::LoggedDisk,
    network::Network,
    scenario::tool::Deploy,
    util::error::{Error, Result},
    verdict::finding::HOST,
    vm::{host::Host, qemu::agent::Output},
};

/// The machines of one scenario, each a clone, and the network between them if they are several.
#[derive(Debug)]
pub struct Lab {
    machines: Vec<Host>,
    network: Option<Network>,
    power: Option<Power>,
    iterations: NonZeroU32,
}

/// How often a scenario that loops does so, unless somebody asks for more: a restart of a container
/// takes some 10 s under TCG.
pub const ITERATIONS: NonZeroU32 = NonZeroU32::new(3).expect("not zero");

impl Lab {
    /// A lab of `host` alone, whose scenario loops `iterations` times, if it is one that does.
    #[must_use]
    pub fn new(host: Host, iterations: NonZeroU32) -> Self {
        Self {
            machines: vec![host],
            network: None,
            power: None,
            iterations,
        }
    }

    /// The same for a host that writes to `disk`, and whose power can be cut.
    #[must_use]
    pub fn on_logged_disk(host: Host, disk: LoggedDisk, iterations: NonZeroU32) -> Self {
        Self {
            power: Some(Power::of(disk)),
            ..Self::new(host, iterations)
        }
    }

    /// The same of several `machines`, joined by `network`.
    #[must_use]
    pub fn joined(machines: Vec<Host>, network: Network, iterations: NonZeroU32) -> Self {
        Self {
            machines,
            network: Some(network),
            power: None,
            iterations,
        }
    }

    pub(super) fn power(&self) -> Result<&Power> {
        self.power.as_ref().ok_or_else(|| {
            Error::Machine(
                "this scenario does not log its host's disk: #[scenario(disk = Logged, ..)]".into(),
            )
        })
    }

    /// How often a scenario repeats on its clone what only fails now and then: [`ITERATIONS`], and more
    /// under `--soak`. What one turn takes at most is its `turn`, so that its deadline grows along.
    #[must_use]
    pub fn iterations(&self) -> NonZeroU32 {
        self.iterations
    }

    /// The container host: the machine `host`, or the first one where none is called so. After [`Lab::power_on`] it is the
    /// one that was switched on again.
    #[must_use]
    pub fn host(&self) -> &Host {
        self.find(HOST).unwrap_or(&self.machines[0])
    }

    /// The machine that the scenario's declaration calls `name`.
    ///
    /// # Panics
    /// When it names no such machine.
    #[must_use]
    pub fn machine(&self, name: &str) -> &Host {
        match self.find(name) {
            Some(machine) => machine,
            None => panic!(
                "no machine of this lab is called {name:?}: the scenario's declaration names its machines, as machines({name} = Host)"
            ),
        }
    }

    /// The machine called `name`, if there is one.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Host> {
        let mut machines = self.machines().into_iter();
        machines.find(|machine| machine.name() == name)
    }

    /// All machines, in the order of the scenario's declaration.
    #[must_use]
    pub fn machines(&self) -> Vec<&Host> {
        match self.power.as_ref().and_then(Power::again) {
            Some(again) => vec![again],
            None => self.machines.iter().collect(),
        }
    }

    /// The network between the machines.
    ///
    /// # Panics
    /// When there is one machine only.
    #[must_use]
    pub fn network(&self) -> &Network {
        match &self.network {
            Some(network) => network,
            None => panic!(
                "a lab of one machine has no network: the scenario's declaration names several, as machines(laptop = Host, host = Deployed)"
            ),
        }
    }

    /// The network, if there are several machines.
    pub(crate) fn joined_by(&self) -> Option<&Network> {
        self.network.as_ref()
    }

    /// `seconds` on a machine with KVM, in this machine's time.
    #[must_use]
    pub fn seconds(&self, seconds: u64) -> Duration {
        self.host().limit(Duration::from_secs(seconds))
    }

    /// Calls the tool under test.
    ///
    /// # Errors
    /// Those of the lab; a tool that fails is an [`Output`].
    pub async fn deploy(&self, deploy: Deploy<'_>) -> Result<Output> {
        deploy.run(self.host()).await
    }

    /// Machines and network again, when the scenario is over.
    #[must_use]
    pub fn into_parts(self) -> (Vec<Host>, Option<Network>) {
        match self.power.and_then(Power::into_again) {
            Some(again) => (vec![again], None),
            None => (self.machines, self.network),
        }
    }
}
