//! A network beyond the host, with somebody in it: a network namespace behind a link `uplink0`.

use spawnlab::prelude::*;

/// The host's address there.
pub const HOST: &str = "203.0.113.1";
/// Theirs. They know the way to [`HOST`] and to nobody behind it: a guest gets an answer only where
/// it is masqueraded.
pub const THEIRS: &str = "203.0.113.2";

const SET_UP: &str = "
    ip netns add outside
    ip link add uplink0 type veth peer name eth0 netns outside
    ip address add 203.0.113.1/24 dev uplink0
    ip link set uplink0 up
    ip -n outside address add 203.0.113.2/24 dev eth0
    ip -n outside link set eth0 up";

/// Those beyond the uplink of a host.
#[derive(Debug)]
pub struct Outside<'h> {
    host: &'h Host,
}

impl<'h> Outside<'h> {
    /// Connects `host` to them.
    ///
    /// # Errors
    /// When the host can't.
    pub async fn of(host: &'h Host) -> Result<Self> {
        host.succeed(SET_UP).await?;
        Ok(Self { host })
    }

    /// Runs `sh -c script` there, however it ends.
    ///
    /// # Errors
    /// When the host can't be asked.
    pub async fn execute(&self, script: &str) -> Result<Output> {
        let script = format!("ip netns exec outside sh -c {}", quote(script));
        self.host.execute(&script).await
    }
}

/// Asks from `guest` whether those beyond the host answer.
///
/// # Errors
/// When the guest can't be asked; no answer is an [`Output`].
pub async fn ping(guest: &Container<'_>) -> Result<Output> {
    guest.execute(&format!("ping -n -c 1 -W 5 {THEIRS}")).await
}
