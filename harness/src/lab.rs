//! What a scenario's body receives.

use std::time::Duration;

use crate::{error::Result, host::Host, qemu::agent::Output, tool::Deploy};

/// One clone, for one scenario.
#[derive(Debug)]
pub struct Lab {
    host: Host,
}

impl Lab {
    /// A lab around `host`.
    #[must_use]
    pub fn new(host: Host) -> Self {
        Self { host }
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
