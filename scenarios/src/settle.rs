//! Waiting for containers under a firewall, which may keep them from their leases.

use spawnlab::prelude::*;
pub(crate) use spawnlab::scenario::settle::{RESTART, settled};

use crate::{facts, firewall::Firewall};

/// How often each guest has to have been refused before it counts as one that gets no lease.
const REFUSALS: u64 = 3;

/// Waits until all of `containers` have booted under `firewall`, and each holds a lease that its name
/// resolves to, or the firewall has refused their requests often enough to know that none will.
///
/// Either is a state that is reached and not a time that has passed: a slow machine does not turn a
/// lease that comes late into one that never comes.
///
/// # Errors
/// A failure of the assertion `the containers settle under the firewall`, with what was seen last.
pub(crate) async fn under(firewall: Firewall, host: &Host, containers: &[&str]) -> Outcome {
    let limit = host.limit(std::time::Duration::from_secs(60));
    let enough = REFUSALS * u64::try_from(containers.len()).unwrap_or(u64::MAX);
    expect("the containers settle under the firewall")
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
                let leased = facts::leased_address(host, container).await?;
                let named = facts::resolved(host, container).await?;
                if leased.is_none() || leased != named {
                    without.push(format!("{container}: lease {leased:?}, name {named:?}"));
                }
            }
            let refused = firewall.refused(host).await?;
            Ok(if without.is_empty() || refused >= enough {
                Seen::Ready(())
            } else {
                Seen::NotYet(format!("{}; {refused} refused", without.join("; ")))
            })
        })
        .await
}
