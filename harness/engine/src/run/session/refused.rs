//! Guests whose requests for a lease the host refuses, by whatever rule: what comes over a container's link and does
//! not get past the filters was refused.

use crate::{
    scenario::ready::wait_ready_or_refused,
    util::error::Error,
    verdict::Outcome,
    vm::{host::Host, verbs::Verbs},
};

/// Whether the containers of a layer have to have leases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Leases {
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

/// Waits until each of `containers` has its lease, or is known to get none.
pub(super) async fn wait_ready(host: &Host, containers: &[&str]) -> Outcome {
    wait_ready_or_refused(host, containers, "the containers settle", || refused(host)).await
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
