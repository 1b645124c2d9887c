//! What the host lets in from the networks that it is in itself.

use spawnlab::prelude::*;

spawnlab::scenarios! {
    area "uplink";

    /// A host that filters what comes from its uplink refuses requests for a lease from there.
    dhcp_requests_are_refused on Deployed {
        "port-opened-to-all" fails "the requests that got past the filters" spares "networking::lease_comes_from_the_host":
            "nft -f - <<END
             table inet sabotage {
               chain input {
                 type filter hook input priority 0;
                 udp dport 67 accept
                 iifname \"uplink*\" udp dport != 67 drop
               }
             }
END";
    }
}

/// A network beyond the host's uplink with somebody in it, and counters before and behind whatever
/// filters the host has: what counts is what gets past them, not how they are written.
const OUTSIDE: &str = "
    ip netns add outside
    ip link add uplink0 type veth peer name eth0 netns outside
    ip address add 203.0.113.1/24 dev uplink0
    ip link set uplink0 up
    ip -n outside address add 203.0.113.2/24 dev eth0
    ip -n outside link set eth0 up
    nft -f - <<END
    table inet lab_uplink {
      counter dhcp-came { }
      counter dhcp-past { }
      counter other-came { }
      counter other-past { }
      chain before {
        type filter hook prerouting priority -450;
        iifname uplink0 udp dport 67 counter name dhcp-came
        iifname uplink0 udp dport 9 counter name other-came
      }
      chain behind {
        type filter hook input priority 450;
        iifname uplink0 udp dport 67 counter name dhcp-past
        iifname uplink0 udp dport 9 counter name other-past
      }
    }
END";

/// A request for a lease as a machine without an address broadcasts it, one to the host's address,
/// and a packet to a port that nobody opens.
const ASK: &str = "
    ip netns exec outside bash -c '
        echo discard >/dev/udp/203.0.113.1/9; echo request >/dev/udp/203.0.113.1/67' 2>/dev/null
    ip netns exec outside busybox udhcpc -i eth0 -n -q -f -t 1 -T 1 -s /bin/true >/dev/null 2>&1
    true";

async fn counted(host: &Host, counter: &str) -> Result<u64> {
    let script = format!(
        "nft -j list counter inet lab_uplink {counter} |
         jq '.nftables[] | select(.counter).counter.packets'"
    );
    let text = host.succeed(&script).await?;
    text.trim()
        .parse()
        .map_err(|_| Error::answer("the counter of packets from the uplink", text))
}

async fn dhcp_requests_are_refused(lab: &Lab) -> Outcome {
    let host = lab.host();
    host.succeed(OUTSIDE).await?;
    // Until both arrived: what has not come can't have been refused.
    expect("the packets from the uplink")
        .eventually(lab.seconds(10), "two requests and one other", || async {
            host.succeed(ASK).await?;
            let (dhcp, other) = (
                counted(host, "dhcp-came").await?,
                counted(host, "other-came").await?,
            );
            Ok(if dhcp >= 2 && other >= 1 {
                Seen::Ready(())
            } else {
                Seen::NotYet(format!("{dhcp} and {other}"))
            })
        })
        .await?;
    if counted(host, "other-past").await? > 0 {
        return Err(Broken::Skipped(
            "the host filters nothing that comes from its uplink".into(),
        ));
    }
    expect("the requests that got past the filters").equal(counted(host, "dhcp-past").await?, 0)
}
