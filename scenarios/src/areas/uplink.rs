//! What the host lets in from the networks that it is in itself.

use spawnlab::prelude::*;

use crate::{
    outside::{self, Outside},
    packet_counters::PacketCounters,
};

/// A host that filters what comes from its uplink refuses requests for a lease from there.
#[scenario(on = Deployed)]
#[saboteur("port-opened-to-all", fails = "the requests that got past the filters",
    spares = "networking::lease_comes_from_the_host" =>
    "nft -f - <<END
     table inet sabotage {
       chain input {
         type filter hook input priority 0;
         udp dport 67 accept
         iifname \"uplink*\" udp dport != 67 drop
       }
     }
END")]
async fn dhcp_requests_are_refused(lab: &Lab) -> Outcome {
    let host = lab.host();
    let outside = Outside::of(host).await?;
    let kinds = [("dhcp", "udp dport 67"), ("other", "udp dport 9")];
    let counters = PacketCounters::put(host, "uplink0", &kinds).await?;
    // A request for a lease as a machine without an address broadcasts it, one to the host's
    // address, and a packet to a port that nobody opens.
    let ask = format!(
        "bash -c 'echo discard >/dev/udp/{0}/9; echo request >/dev/udp/{0}/67'
         busybox udhcpc -i eth0 -n -q -f -t 1 -T 1 -s true >/dev/null 2>&1",
        outside::HOST
    );
    let past = counters
        .let_through(|| async { outside.execute(&ask).await.map(drop) })
        .await?;
    if past.iter().any(|kind| kind == "other") {
        return Err(ScenarioError::Skipped(
            "the host filters nothing that comes from its uplink".into(),
        ));
    }
    expect("the requests that got past the filters").equal(past, Vec::<String>::new())
}
