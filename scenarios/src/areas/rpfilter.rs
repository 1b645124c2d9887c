//! NixOS' reverse path filter (`networking.firewall.checkReversePath`) in front of a guest's packets.
//! Under the strict one, NixOS' default, guests get their leases in the scenarios of `firewall`.

use spawnlab::prelude::*;

use crate::{
    dhcp::{ask_again, leased, renewed},
    evaluated,
    firewall::Firewall,
    packet_counters::PacketCounters,
    ruleset::Backend,
};

const DROP_WITHOUT_ADDRESS: Change = script(
    "nft -f - <<END
    table ip sabotage {
      chain prerouting {
        type filter hook prerouting priority mangle + 10;
        iifname \"ve-*\" ip saddr 0.0.0.0 drop;
      }
    }
END",
);

/// On {case} the guest gets and renews its lease without a reverse path filter and under a loose
/// one, which drops nothing on the way (<https://github.com/NixOS/nixpkgs/issues/{10101|31839}>).
#[scenario(on = Deployed, limit = 90, brings = ["firewall"], cases(nftables, iptables))]
#[saboteur("sources-must-be-known", fails = "the lease", spares = "rpfilter::{case}_drops_what_the_mode_says" =>
    DROP_WITHOUT_ADDRESS)]
async fn lets_requests_for_leases_in(lab: &Lab, backend: Backend) -> Outcome {
    let host = lab.host();
    for mode in ["loose", "off"] {
        let firewall = Firewall::nixpkgs_498177(backend).with("rpfilter", mode);
        firewall.load(host).await?;
        ask_again(host).await?;
        leased(lab).await?;
        renewed(lab).await?;
        if mode == "loose" {
            let dropped = firewall.dropped_by_path(host).await?;
            expect("what the filter dropped").equal(dropped, 0)?;
        }
    }
    Ok(())
}

/// A network that the host reaches over another link, and one that it knows to be nowhere.
const ROUTES: &str = "ip link add elsewhere0 type dummy; ip link set elsewhere0 up
    ip route add 10.99.0.0/24 dev elsewhere0
    ip route add unreachable 10.98.0.0/24";

/// The guest sends packets with its own address, and with one of either network.
const SPOOF: &str = "host=$(ip -4 route show default dev host0 | cut -d' ' -f3)
    ip address replace 10.99.0.1/32 dev lo; ip address replace 10.98.0.1/32 dev lo
    for address in host0 10.99.0.1 10.98.0.1; do ping -n -c 1 -W 1 -I $address $host & done >/dev/null
    wait";

/// On {case} the strict filter drops a guest's packets with an address of another network, the loose
/// one those with an address that nobody has, and none drops nothing.
#[scenario(on = Deployed, brings = ["firewall"], cases(nftables, iptables))]
#[saboteur("loose-for-strict", fails = "what gets in by mode",
    spares = "firewall::{case}_leases_with_nixpkgs_498177", case = nftables =>
    shim("nft", r#"for file; do :; done
        [ ! -f $file ] || sed -i "s/mark . iif oif/mark oif/" $file
        real "$@""#))]
#[saboteur("loose-for-strict", fails = "what gets in by mode",
    spares = "firewall::{case}_leases_with_nixpkgs_498177", case = iptables =>
    shim("iptables-restore",
        r#"sed "s/--validmark /--validmark --loose /; s/--loose --loose/--loose/" | real "$@""#))]
async fn drops_what_the_mode_says(lab: &Lab, backend: Backend) -> Outcome {
    let host = lab.host();
    host.succeed(ROUTES).await?;
    let mut past = Vec::new();
    for mode in ["strict", "loose", "off"] {
        let firewall = Firewall::nixos(backend).with("rpfilter", mode);
        firewall.load(host).await?;
        past.push(format!(
            "{mode}: {}",
            past_the_filter(host).await?.join(" ")
        ));
    }
    expect("what gets in by mode").equal(past, BY_MODE)
}

/// What gets past the filter in each mode, of what the guest sends in [`SPOOF`].
const BY_MODE: [&str; 3] = [
    "strict: own",
    "loose: elsewhere own",
    "off: elsewhere nowhere own",
];

/// What of the packets that the guest of `web` sends in [`SPOOF`] gets in.
async fn past_the_filter(host: &Host) -> Result<Vec<String>, ScenarioError> {
    let web = host.container("web");
    let kinds = [
        ("elsewhere", "ip saddr 10.99.0.1"),
        ("nowhere", "ip saddr 10.98.0.1"),
        ("own", "ip saddr 192.168.0.0/16 icmp type echo-request"),
    ];
    let counters = PacketCounters::put(host, "ve-web", &kinds).await?;
    counters
        .let_through(|| async { web.execute(SPOOF).await.map(drop) })
        .await
}

/// The reverse path filter that NixOS' modules generated for the host drops a guest's packets as its mode says:
/// strict those with an address of another network, loose those with an address that nobody has.
#[scenario(on = Deployed, wants = [NixosModules])]
#[saboteur("filter-taken-away", fails = "what gets in by mode",
    spares = "firewall::own_rules_open_one_port_to_guests" =>
    "if nft list table inet nixos-fw >/dev/null 2>&1; then
         nft delete chain inet nixos-fw rpfilter
     elif iptables -t mangle -S nixos-fw-rpfilter >/dev/null 2>&1; then
         iptables -t mangle -D PREROUTING -j nixos-fw-rpfilter
     fi
     for file in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $file; done")]
async fn own_filter_drops_what_its_mode_says(lab: &Lab) -> Outcome {
    let host = lab.host();
    let mode = evaluated::rules(host).await?.reverse_path;
    host.succeed(ROUTES).await?;
    let past = format!("{mode}: {}", past_the_filter(host).await?.join(" "));
    let wanted = BY_MODE.iter().find(|line| line.starts_with(&mode));
    expect("what gets in by mode").equal(Some(&past.as_str()), wanted)
}
