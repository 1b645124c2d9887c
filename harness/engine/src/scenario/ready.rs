//! Waiting for containers to be all there, and for their leases: what a scenario may then take for granted.

use std::{net::Ipv4Addr, time::Duration};

use crate::{
    scenario::expect::{Expect, expect},
    util::{error::Result, poll::Seen},
    verdict::{Outcome, ScenarioError},
    vm::{container::Container, host::Host, verbs::Verbs},
};

/// How long a restart of a container may take with KVM: a shutdown and a boot.
pub const RESTART: Duration = Duration::from_secs(60);

/// The name of the assertion that [`Container::wait_ready`] makes.
pub const ASSERTION: &str = "the container settles";

/// How often each guest has to have been refused before it counts as one that gets no lease.
const REFUSALS: u64 = 3;

impl Container<'_> {
    /// Waits until the container has booted and holds a lease that its name resolves to, and until the host has
    /// started what comes with it: whoever stops a service in the middle of its start makes it fail.
    ///
    /// # Errors
    /// A failure of [`ASSERTION`], with what was seen last.
    pub async fn wait_ready(&self) -> Outcome {
        let (host, name) = (self.host(), self.name());
        let limit = host.limit(Duration::from_secs(30));
        expect(ASSERTION)
            .eventually(
                limit,
                format!("{name} running, with a lease and a name"),
                || async {
                    let state = host
                        .execute(&format!("systemctl -M {name} is-system-running"))
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
                    let leased = self.lease().await?;
                    let named = host.resolve(name).await?;
                    Ok(match leased {
                        Some(address) if named == Some(address) => Seen::Ready(()),
                        other => Seen::NotYet(format!("lease {other:?}, name {named:?}")),
                    })
                },
            )
            .await
    }
}

impl Expect {
    /// The guest has to lease an address within `limit` (as it is). Returns the address.
    ///
    /// # Errors
    /// [`ScenarioError::Failed`] with the guest's end of the link as it was seen last.
    pub async fn leased(
        self,
        guest: &Container<'_>,
        limit: Duration,
    ) -> Result<Ipv4Addr, ScenarioError> {
        self.eventually(limit, "an address leased by DHCP", || async {
            let link = guest.link().await?;
            Ok(link
                .leased()
                .map_or_else(|| Seen::NotYet(link.summary()), Seen::Ready))
        })
        .await
    }
}

/// Waits until all of `containers` have booted, and each holds a lease that its name resolves to, or the
/// host has refused their requests for one often enough to know that none will come; `refused` counts those.
///
/// Either is a state that is reached and not a time that has passed: a slow machine does not turn a lease that comes
/// late into one that never comes.
///
/// # Errors
/// A failure of `assertion`, with what was seen last.
pub async fn wait_ready_or_refused<F>(
    host: &Host,
    containers: &[&str],
    assertion: &'static str,
    refused: impl Fn() -> F,
) -> Outcome
where
    F: Future<Output = Result<u64>>,
{
    let limit = host.limit(Duration::from_secs(60));
    let enough = REFUSALS * u64::try_from(containers.len()).unwrap_or(u64::MAX);
    expect(assertion)
        .eventually(limit, "leases given, or requests refused", || async {
            let mut without = vec![];
            for container in containers {
                let state = host
                    .execute(&format!("systemctl -M {container} is-system-running"))
                    .await?;
                if !matches!(state.stdout.trim(), "running" | "degraded") {
                    let said = format!("{container}: {}{}", state.stdout, state.stderr);
                    return Ok(Seen::NotYet(said));
                }
                let leased = host.container(container).lease().await?;
                let named = host.resolve(container).await?;
                if leased.is_none() || leased != named {
                    without.push(format!("{container}: lease {leased:?}, name {named:?}"));
                }
            }
            let refused = refused().await?;
            Ok(if without.is_empty() || refused >= enough {
                Seen::Ready(())
            } else {
                Seen::NotYet(format!("{}; {refused} refused", without.join("; ")))
            })
        })
        .await
}
