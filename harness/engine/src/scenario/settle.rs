//! Waiting for a container to be all there: what a scenario may then take for granted.

use std::time::Duration;

use crate::{
    scenario::{expect::expect, facts},
    util::poll::Seen,
    verdict::Outcome,
    vm::host::Host,
};

/// How long a restart of a container may take with KVM: a shutdown and a boot.
pub const RESTART: Duration = Duration::from_secs(60);

/// The name of the assertion that [`settled`] makes.
pub const ASSERTION: &str = "the container settles";

/// Waits until `container` has booted and, unless it has no link of its own, holds a lease that
/// its name resolves to, and until the host has started what comes with it: whoever stops a service in
/// the middle of its start makes it fail.
///
/// # Errors
/// A failure of [`ASSERTION`], with what was seen last.
pub async fn settled(host: &Host, container: &str) -> Outcome {
    let limit = host.limit(Duration::from_secs(30));
    expect(ASSERTION)
        .eventually(
            limit,
            format!("{container} running, with a lease and a name"),
            || async {
                let state = host
                    .execute(&format!("systemctl -M {container} is-system-running"))
                    .await?;
                if state.stdout.trim() != "running" {
                    return Ok(Seen::NotYet(format!("{}{}", state.stdout, state.stderr)));
                }
                let jobs = host
                    .succeed("systemctl show --property=NJobs --value")
                    .await?;
                if jobs.trim() != "0" {
                    return Ok(Seen::NotYet(format!("{} jobs of the host", jobs.trim())));
                }
                let leased = facts::leased_address(host, container).await?;
                let named = facts::resolved(host, container).await?;
                Ok(match leased {
                    Some(address) if named == Some(address) => Seen::Ready(()),
                    other => Seen::NotYet(format!("lease {other:?}, name {named:?}")),
                })
            },
        )
        .await
}
