//! What a scenario's body receives.

use std::{num::NonZeroU32, time::Duration};

use crate::{
    scenario::tool::Deploy,
    util::error::Result,
    vm::{host::Host, qemu::agent::Output},
};

/// One clone, for one scenario.
#[derive(Debug)]
pub struct Lab {
    host: Host,
    iterations: NonZeroU32,
}

/// How often a scenario that loops does so, unless somebody asks for more: a restart of a container
/// takes some 10 s under TCG.
pub const ITERATIONS: NonZeroU32 = NonZeroU32::new(3).expect("not zero");

impl Lab {
    /// A lab around `host`, whose scenario loops `iterations` times, if it is one that does.
    #[must_use]
    pub fn new(host: Host, iterations: NonZeroU32) -> Self {
        Self { host, iterations }
    }

    /// How often a scenario repeats on its clone what only fails now and then: [`ITERATIONS`], and more
    /// under `--soak`. What one turn takes at most is its `turn`, so that its deadline grows along.
    #[must_use]
    pub fn iterations(&self) -> NonZeroU32 {
        self.iterations
    }

    /// The container host.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// `seconds` on a machine with KVM, in this machine's time.
    #[must_use]
    pub fn seconds(&self, seconds: u64) -> Duration {
        self.host.limit(Duration::from_secs(seconds))
    }

    /// Calls the tool under test.
    ///
    /// # Errors
    /// Those of the lab; a tool that fails is an [`Output`].
    pub async fn deploy(&self, deploy: Deploy<'_>) -> Result<Output> {
        deploy.run(&self.host).await
    }

    /// The host again, when the scenario is over.
    #[must_use]
    pub fn into_host(self) -> Host {
        self.host
    }
}
