//! Guests whose requests for a lease the host refuses, by whatever rule: what comes over a container's link and does
//! not get past the filters was refused.

use std::time::Duration;

use crate::{
    scenario::{expect::expect, facts},
    util::{error::Error, poll::Seen},
    verdict::Outcome,
    vm::host::Host,
};

/// How often each guest has to have been refused before it counts as one that gets no lease.
const REFUSALS: u64 = 3;

/// Whether the containers of a layer have to have leases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Leases {
    /// Without one the layer can't be made.
    #[default]
    Needed,
    /// The host's firewall is what is judged: a guest that it refuses is as settled as one with a lease.
    MayBeRefused,
}

const TABLE: &str = "table inet spawnlab_requests";

/// Counts from here on.
pub(super) async fn count(host: &Host) -> Outcome {
    let counter = r#"iifname "ve-*" udp dport 67 counter"#;
    let rules = format!(
        "{TABLE}\ndelete {TABLE}\n{TABLE} {{
         chain came {{ type filter hook prerouting priority -450; {counter}; }}
         chain past {{ type filter hook input priority 450; {counter}; }}
         }}"
    );
    host.succeed(&format!("nft -f - <<'END'\n{rules}\nEND"))
        .await?;
    Ok(())
}

/// Ends the count: no scenario is to find the table.
pub(super) async fn forget(host: &Host) -> Outcome {
    host.succeed(&format!("nft delete {TABLE}")).await?;
    Ok(())
}

/// How many requests were refused since [`count`].
async fn refused(host: &Host) -> Result<u64, Error> {
    let listed = host.succeed(&format!("nft list {TABLE}")).await?;
    difference(&listed).ok_or_else(|| Error::answer("nft", listed))
}

/// What the first counter of `listed` has more than the second.
fn difference(listed: &str) -> Option<u64> {
    let mut counts = listed.lines().filter_map(|line| {
        let (_, rest) = line.split_once("counter packets ")?;
        rest.split(' ').next()?.parse::<u64>().ok()
    });
    let (came, past) = (counts.next()?, counts.next()?);
    Some(came.saturating_sub(past))
}

/// Waits until all of `containers` have booted, and each holds a lease that its name resolves to, or the host has
/// refused their requests often enough to know that none will come.
///
/// Either is a state that is reached and not a time that has passed: a slow machine does not turn a lease that comes
/// late into one that never comes.
pub(super) async fn settled(host: &Host, containers: &[&str]) -> Outcome {
    let limit = host.limit(Duration::from_secs(60));
    let enough = REFUSALS * u64::try_from(containers.len()).unwrap_or(u64::MAX);
    expect("the containers settle")
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
            let refused = refused(host).await?;
            Ok(if without.is_empty() || refused >= enough {
                Seen::Ready(())
            } else {
                Seen::NotYet(format!("{}; {refused} refused", without.join("; ")))
            })
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: &str = r#"table inet spawnlab_requests {
	chain came {
		type filter hook prerouting priority raw - 150; policy accept;
		iifname "ve-*" udp dport 67 counter packets 11 bytes 3608
	}

	chain past {
		type filter hook input priority 450; policy accept;
		iifname "ve-*" udp dport 67 counter packets 4 bytes 1312
	}
}
"#;

    #[test]
    fn what_came_and_did_not_get_past_was_refused() {
        assert_eq!(difference(LISTED), Some(7));
        assert_eq!(
            difference(&LISTED.replace("packets 11", "packets 4")),
            Some(0)
        );
        assert_eq!(difference("table inet spawnlab_requests {\n}\n"), None);
    }
}
