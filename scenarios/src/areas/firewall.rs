//! The host's packet filter between a guest and its lease: NixOS' rules, with and without the one of
//! <https://github.com/NixOS/nixpkgs/pull/498177>. `scenarios/rules` has them.
//!
//! A page that can be fetched says nothing here: over link-local addresses it can be fetched without
//! a lease, too.

use spawnlab::prelude::*;

use crate::{
    facts::{guest_link, host_link},
    ruleset::Backend,
};

spawnlab::scenarios! {
    area "firewall";

    /// NixOS' nftables rules refuse the guest's DHCP requests: it gets no lease.
    nftables_refuses_a_lease on Deployed limit 90 brings [Firewall] {
        "port-opened-by-hand" fails "the leases given" spares "firewall::nftables_leases_with_nixpkgs_498177":
            "mkdir -p /etc/lab/firewall; echo 'udp dport 67 accept' > /etc/lab/firewall/extra.nft";
    }

    /// NixOS' iptables rules refuse the guest's DHCP requests: it gets no lease.
    iptables_refuses_a_lease on Deployed limit 90 brings [Firewall] {
        "port-opened-by-hand" fails "the leases given" spares "firewall::iptables_leases_with_nixpkgs_498177":
            "mkdir -p /etc/lab/firewall
             echo '46 -A nixos-fw -p udp --dport 67 -j nixos-fw-accept' > /etc/lab/firewall/extra.iptables";
    }

    /// With our counterpart of nixpkgs' change 498177 for nftables (nixpkgs-498177-nft) the guest gets its lease.
    nftables_leases_with_nixpkgs_498177 on Deployed limit 90 brings [Firewall] {
        "dropped-by-another-table" fails "the lease" spares "firewall::nftables_refuses_the_uplink_with_nixpkgs_498177":
            DROP_DHCP_OF_GUESTS;
    }

    /// With the rule of nixpkgs' change 498177 the guest gets its lease through iptables.
    iptables_leases_with_nixpkgs_498177 on Deployed limit 90 brings [Firewall] {
        "dropped-by-another-table" fails "the lease" spares "firewall::iptables_refuses_the_uplink_with_nixpkgs_498177":
            DROP_DHCP_OF_GUESTS;
    }

    /// With the documented workaround, `ve-+` in `networking.firewall.interfaces`, the guest gets its
    /// lease through iptables.
    iptables_leases_with_the_workaround on Deployed limit 90 brings [Firewall] {
        "dropped-by-another-table" fails "the lease" spares "firewall::iptables_refuses_the_uplink_with_nixpkgs_498177":
            DROP_DHCP_OF_GUESTS;
    }

    /// What nixpkgs renders of that workaround for nftables is no rule set: nft refuses the `+`.
    nftables_refuses_to_load_the_workaround on Deployed brings [Firewall] {
        "nft-knows-the-wildcard" fails "the workaround" spares "firewall::nftables_leases_with_nixpkgs_498177":
            "printf '#!/bin/sh\\nfor file; do :; done\\n[ ! -f $file ] || sed -i s/ve-+/ve-eth/ $file\\nexec /usr/sbin/nft \"$@\"\\n' \
                 > /usr/local/sbin/nft
             chmod 755 /usr/local/sbin/nft";
    }

    /// The rule of nixpkgs' change 498177 opens nothing to the uplink on nftables: DHCP requests from there stay refused.
    nftables_refuses_the_uplink_with_nixpkgs_498177 on Deployed brings [Firewall] {
        "port-opened-to-all" fails "the refused request" spares "firewall::nftables_leases_with_nixpkgs_498177":
            "mkdir -p /etc/lab/firewall; echo 'udp dport 67 accept' > /etc/lab/firewall/extra.nft";
    }

    /// The rule of nixpkgs' change 498177 opens nothing to the uplink on iptables: DHCP requests from there stay refused.
    iptables_refuses_the_uplink_with_nixpkgs_498177 on Deployed brings [Firewall] {
        "port-opened-to-all" fails "the refused request" spares "firewall::iptables_leases_with_nixpkgs_498177":
            "mkdir -p /etc/lab/firewall
             echo '46 -A nixos-fw -p udp --dport 67 -j nixos-fw-accept' > /etc/lab/firewall/extra.iptables";
    }
}

const DROP_DHCP_OF_GUESTS: &str = "nft -f - <<END
    table inet sabotage {
      chain input {
        type filter hook input priority -10;
        iifname \"ve-*\" udp dport 67 drop;
      }
    }
END";

async fn nftables_refuses_a_lease(lab: &Lab) -> Outcome {
    refuses_a_lease(lab, Backend::Nftables).await
}

async fn iptables_refuses_a_lease(lab: &Lab) -> Outcome {
    refuses_a_lease(lab, Backend::Iptables).await
}

async fn nftables_leases_with_nixpkgs_498177(lab: &Lab) -> Outcome {
    leases(lab, Backend::Nftables, "nixpkgs-498177-nft").await
}

async fn iptables_leases_with_nixpkgs_498177(lab: &Lab) -> Outcome {
    leases(lab, Backend::Iptables, "nixpkgs-498177").await
}

async fn iptables_leases_with_the_workaround(lab: &Lab) -> Outcome {
    leases(lab, Backend::Iptables, "workaround").await
}

async fn nftables_refuses_to_load_the_workaround(lab: &Lab) -> Outcome {
    let host = lab.host();
    let plain = Backend::Nftables.load(host, None).await?;
    expect("the rules without it").succeeded(plain)?;
    let output = Backend::Nftables.load(host, Some("workaround")).await?;
    let said = expect("the workaround").refused(output)?;
    expect("what nft says").contains(&said, "unexpected +")
}

async fn nftables_refuses_the_uplink_with_nixpkgs_498177(lab: &Lab) -> Outcome {
    refuses_the_uplink(lab, Backend::Nftables, "nixpkgs-498177-nft").await
}

async fn iptables_refuses_the_uplink_with_nixpkgs_498177(lab: &Lab) -> Outcome {
    refuses_the_uplink(lab, Backend::Iptables, "nixpkgs-498177").await
}

/// Makes the guest of `web` ask for a lease that the host no longer knows of, as a new one would,
/// without a restart of the container.
async fn ask_again(host: &Host) -> Result<()> {
    let web = host.container("web");
    web.succeed("networkctl down host0").await?;
    // With a carrier, networkd would go on leasing addresses of the network that ve-web leaves.
    // What it leased stays below /var in older versions, and below /run in newer ones.
    host.succeed(
        "for try in $(seq 50); do networkctl status ve-web | grep -q no-carrier && break; sleep 0.1; done
         rm -f /var/lib/systemd/network/dhcp-server-lease/ve-web /run/systemd/netif/dhcp-server-lease/ve-web
         networkctl reconfigure ve-web",
    )
    .await?;
    web.succeed("networkctl up host0").await?;
    Ok(())
}

/// How many leases the host's DHCP server has given on `ve-web`.
const LEASES: &str =
    "networkctl --json=short status ve-web | jq '.DHCPServer.Leases // [] | length'";

/// Nothing is a proof of absence but a request that was made and refused, more than once.
async fn refuses_a_lease(lab: &Lab, backend: Backend) -> Outcome {
    let host = lab.host();
    expect("the rules").succeeded(backend.load(host, None).await?)?;
    ask_again(host).await?;
    let given = expect("the requests")
        .eventually(lab.seconds(15), "three refused, or one granted", || async {
            let refused = backend.refused(host, "guests").await?;
            let given = host.succeed(LEASES).await?.trim().to_owned();
            Ok(if refused >= 3 || given != "0" {
                Seen::Ready(given)
            } else {
                Seen::NotYet(format!("{refused} refused"))
            })
        })
        .await?;
    expect("the leases given").equal(given.as_str(), "0")?;
    let link = guest_link(&host.container("web")).await?;
    expect("the guest's lease").equal(link.leased(), None)?;
    expect("the guest's link").equal(link.operational_state.as_str(), "degraded")
}

async fn leases(lab: &Lab, backend: Backend, tag: &str) -> Outcome {
    let host = lab.host();
    let web = host.container("web");
    expect("the rules").succeeded(backend.load(host, Some(tag)).await?)?;
    ask_again(host).await?;
    expect("the lease")
        .eventually(
            lab.seconds(10),
            "leased by the host, routable on both ends",
            || async {
                let (ours, theirs) = (host_link(host, "web").await?, guest_link(&web).await?);
                let given = theirs.leased().zip(ours.subnet());
                let from_here = given.is_some_and(|(lease, subnet)| subnet.contains(lease));
                let routable = [&ours, &theirs].map(|link| link.operational_state == "routable");
                Ok(if from_here && routable == [true, true] {
                    Seen::Ready(())
                } else {
                    Seen::NotYet(format!("{}; {}", ours.summary(), theirs.summary()))
                })
            },
        )
        .await?;
    expect("the leases given").equal(host.succeed(LEASES).await?.trim(), "1")?;
    let masquerade = host.execute("nft list table ip io.systemd.nat").await?;
    expect("masquerading").succeeded(masquerade)?;
    Ok(())
}

async fn refuses_the_uplink(lab: &Lab, backend: Backend, tag: &str) -> Outcome {
    let host = lab.host();
    // A network beyond the host's uplink, with somebody in it who asks for an address.
    host.succeed(
        "ip netns add outside
         ip link add uplink0 type veth peer name eth0 netns outside
         ip address add 203.0.113.1/24 dev uplink0
         ip link set uplink0 up; ip -n outside link set eth0 up",
    )
    .await?;
    expect("the rules").succeeded(backend.load(host, Some(tag)).await?)?;
    expect("the counter").equal(backend.refused(host, "uplink").await?, 0)?;
    host.execute("ip netns exec outside busybox udhcpc -i eth0 -n -q -f -t 1 -T 1 -s /bin/true")
        .await?;
    expect("the refused request").differ(backend.refused(host, "uplink").await?, 0)
}
