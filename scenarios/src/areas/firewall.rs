//! The host's packet filter between a guest and its lease: NixOS' rules, with and without the one of
//! <https://github.com/NixOS/nixpkgs/pull/498177>. `scenarios/rules` has them.
//!
//! A page that can be fetched says nothing here: over link-local addresses it can be fetched without
//! a lease, too.

use spawnlab::prelude::*;

use crate::{
    dhcp::{ask_again, leased, leases, one_lease, renewed},
    evaluated,
    firewall::Firewall,
    outside::{self, Outside},
    packet_counters::PacketCounters,
    ruleset::Backend,
};

const DROP_DHCP_OF_GUESTS: Change = script(
    "nft -f - <<END
    table inet sabotage {
      chain input {
        type filter hook input priority -10;
        iifname \"ve-*\" udp dport 67 drop;
      }
    }
END",
);

/// NixOS' {case} rules refuse the guest's DHCP requests: it gets no lease.
#[scenario(on = Deployed, limit = 90, brings = ["firewall"], cases(nftables, iptables))]
#[saboteur("port-opened-by-hand", fails = "the leases given",
    spares = "firewall::{case}_leases_with_nixpkgs_498177", case = nftables =>
    file("/etc/lab/firewall/extra.nft", "udp dport 67 accept"))]
#[saboteur("port-opened-by-hand", fails = "the leases given",
    spares = "firewall::{case}_leases_with_nixpkgs_498177", case = iptables =>
    file("/etc/lab/firewall/extra.iptables", "46 -A nixos-fw -p udp --dport 67 -j nixos-fw-accept"))]
async fn refuses_a_lease(lab: &Lab, backend: Backend) -> Outcome {
    let host = lab.host();
    let firewall = Firewall::nixos(backend);
    firewall.load(host).await?;
    ask_again(host).await?;
    // Nothing is a proof of absence but a request that was made and refused, more than once.
    let given = expect("the requests")
        .eventually(lab.seconds(15), "three refused, or one granted", || async {
            let (refused, given) = (firewall.refused(host).await?, leases(host).await?);
            Ok(if refused >= 3 || given > 0 {
                Seen::Ready(given)
            } else {
                Seen::NotYet(format!("{refused} refused"))
            })
        })
        .await?;
    expect("the leases given").equal(given, 0)?;
    let link = host.container("web").link().await?;
    expect("the guest's lease").equal(link.leased(), None)?;
    expect("the guest's link").equal(link.operational_state.as_str(), "degraded")
}

/// With {our counterpart of nixpkgs' change 498177 for nftables (nixpkgs-498177-nft)|the rule of nixpkgs' change
/// 498177} the guest gets its lease{| through iptables}, renews it, and reaches what lies beyond the host.
#[scenario(on = Deployed, limit = 90, brings = ["firewall"], cases(nftables, iptables))]
#[saboteur("dropped-by-another-table", fails = "the lease",
    spares = "firewall::{case}_refuses_the_uplink_with_nixpkgs_498177" =>
    DROP_DHCP_OF_GUESTS)]
async fn leases_with_nixpkgs_498177(lab: &Lab, backend: Backend) -> Outcome {
    let host = lab.host();
    let firewall = Firewall::nixpkgs_498177(backend);
    firewall.load(host).await?;
    expect("the counter of the rule").equal(firewall.accepted(host).await?, 0)?;
    ask_again(host).await?;
    leased(lab).await?;
    one_lease(host).await?;
    expect("the counter of the rule").differ(firewall.accepted(host).await?, 0)?;
    renewed(lab).await?;
    Outside::of(host).await?;
    let answer = outside::ping(&host.container("web")).await?;
    expect("the answer from outside").succeeded(answer)?;
    Ok(())
}

/// With the documented workaround, `ve-+` in `networking.firewall.interfaces`, the guest gets its
/// lease through iptables.
#[scenario(on = Deployed, limit = 90, brings = ["firewall"])]
#[saboteur("dropped-by-another-table", fails = "the lease",
    spares = "firewall::iptables_refuses_the_uplink_with_nixpkgs_498177" =>
    DROP_DHCP_OF_GUESTS)]
async fn iptables_leases_with_the_workaround(lab: &Lab) -> Outcome {
    let host = lab.host();
    Firewall::written("iptables:workaround").load(host).await?;
    ask_again(host).await?;
    leased(lab).await?;
    one_lease(host).await
}

/// What nixpkgs renders of that workaround for nftables is no rule set: nft refuses the `+`
/// (<https://github.com/fpletz/nixos-nspawn/issues/13>).
#[scenario(on = Deployed, brings = ["firewall"])]
#[saboteur("nft-knows-the-wildcard", fails = "the workaround",
    spares = "firewall::nftables_leases_with_nixpkgs_498177" =>
    shim("nft", r#"for file; do :; done
        [ ! -f $file ] || sed -i s/ve-+/ve-eth/ $file
        real "$@""#))]
async fn nftables_refuses_to_load_the_workaround(lab: &Lab) -> Outcome {
    let host = lab.host();
    let plain = Firewall::written("nftables:nixos").try_load(host).await?;
    expect("the rules without it").succeeded(plain)?;
    let output = Firewall::written("nftables:workaround")
        .try_load(host)
        .await?;
    let said = expect("the workaround").refused(output)?;
    expect("what nft says").contains(&said, "unexpected +")
}

/// What is asked from either side, by what the ports are for. The last one is open on any host.
const ASKED: [(&str, &str); 6] = [
    ("dhcp", "udp dport 67"),
    ("dhcp-client", "udp dport 68"),
    ("dhcp-by-tcp", "tcp dport 67"),
    ("dns", "udp dport 53"),
    ("dns-by-tcp", "tcp dport 53"),
    ("ssh", "tcp dport 22"),
];

/// Sends one packet of each kind to `address`; a connection that gets no answer is given up soon.
fn ask(address: &str) -> String {
    format!(
        "bash -c \"for port in 53 67 68; do echo lab >/dev/udp/{address}/\\$port; done\"
         for port in 22 53 67; do timeout 1 bash -c \": </dev/tcp/{address}/$port\" & done >/dev/null 2>&1
         wait; true"
    )
}

/// The rule of nixpkgs' change 498177 opens nothing to the uplink on {case}: from there, requests for a
/// lease stay refused, and so do those to the other ports of DHCP and DNS.
#[scenario(on = Deployed, brings = ["firewall"], cases(nftables, iptables))]
#[saboteur("port-opened-to-all", fails = "what gets in from the uplink",
    spares = "firewall::{case}_leases_with_nixpkgs_498177", case = nftables =>
    file("/etc/lab/firewall/extra.nft", "udp dport 67 accept"))]
#[saboteur("port-opened-to-all", fails = "what gets in from the uplink",
    spares = "firewall::{case}_leases_with_nixpkgs_498177", case = iptables =>
    file("/etc/lab/firewall/extra.iptables", "46 -A nixos-fw -p udp --dport 67 -j nixos-fw-accept"))]
async fn refuses_the_uplink_with_nixpkgs_498177(lab: &Lab, backend: Backend) -> Outcome {
    let host = lab.host();
    Firewall::nixpkgs_498177(backend).load(host).await?;
    let open = open_to_the_uplink(host).await?;
    expect("what gets in from the uplink").equal(open, ["ssh"])
}

/// The rule of nixpkgs' change 498177 opens nothing else to guests on {case}: of the ports of DHCP and
/// DNS it is UDP 67 alone.
#[scenario(on = Deployed, brings = ["firewall"], cases(nftables, iptables))]
#[saboteur("names-served-to-guests", fails = "what gets in from a guest",
    spares = "firewall::{case}_leases_with_nixpkgs_498177", case = nftables =>
    file("/etc/lab/firewall/extra.nft", "iifname \"ve-*\" udp dport 53 accept"))]
#[saboteur("names-served-to-guests", fails = "what gets in from a guest",
    spares = "firewall::{case}_leases_with_nixpkgs_498177", case = iptables =>
    file("/etc/lab/firewall/extra.iptables", "46 -A nixos-fw -i ve-+ -p udp --dport 53 -j nixos-fw-accept"))]
async fn opens_one_port_to_guests(lab: &Lab, backend: Backend) -> Outcome {
    let host = lab.host();
    Firewall::nixpkgs_498177(backend).load(host).await?;
    let open = open_to_guests(host).await?;
    expect("what gets in from a guest").equal(open, ["dhcp", "ssh"])
}

/// On a host whose firewall is firewalld, the third backend of NixOS, the guest gets its lease
/// (<https://github.com/firewalld/firewalld/issues/35>).
#[scenario(on = Deployed, wants = [Firewalld])]
#[saboteur("dropped-by-another-table", fails = "the lease", spares = "networking::lease_comes_from_the_host" =>
    DROP_DHCP_OF_GUESTS)]
async fn firewalld_lets_requests_for_leases_in(lab: &Lab) -> Outcome {
    let host = lab.host();
    if !host.execute("firewall-cmd --state").await?.status.success() {
        return Err(ScenarioError::Skipped(
            "the host runs no firewalld; on NixOS networking.firewall.backend = \"firewalld\" would"
                .into(),
        ));
    }
    ask_again(host).await?;
    leased(lab).await
}

/// What of [`ASKED`] gets in from beyond the uplink.
async fn open_to_the_uplink(host: &Host) -> Result<Vec<String>, ScenarioError> {
    let outside = Outside::of(host).await?;
    let counters = PacketCounters::put(host, "uplink0", &ASKED).await?;
    // A request as a machine without an address broadcasts it, too.
    let script = format!(
        "busybox udhcpc -i eth0 -n -q -f -t 1 -T 1 -s true >/dev/null 2>&1\n{}",
        ask(outside::HOST)
    );
    counters
        .let_through(|| async { outside.execute(&script).await.map(drop) })
        .await
}

/// NixOS' own rules, as its modules generated them for the host, open no port of DHCP and DNS to guests but
/// UDP 67.
#[scenario(on = Deployed, wants = [NixosModules])]
#[saboteur("names-served-to-guests", fails = "what gets in from a guest",
    spares = "firewall::own_rules_refuse_the_uplink" =>
    "if nft list table inet nixos-fw >/dev/null 2>&1; then
         nft add rule inet nixos-fw input-allow iifname '\"ve-*\"' udp dport 53 accept
     elif systemctl --quiet is-active firewalld.service; then
         firewall-cmd --add-port=53/udp
     else
         iptables -I nixos-fw -i ve-+ -p udp --dport 53 -j nixos-fw-accept
     fi")]
async fn own_rules_open_one_port_to_guests(lab: &Lab) -> Outcome {
    evaluated::rules(lab.host()).await?;
    let open = open_to_guests(lab.host()).await?;
    expect("what gets in from a guest").equal(open, ["dhcp", "ssh"])
}

/// NixOS' own rules, as its modules generated them for the host, let nothing in from the uplink but SSH.
#[scenario(on = Deployed, wants = [NixosModules])]
#[saboteur("port-opened-to-all", fails = "what gets in from the uplink",
    spares = "networking::lease_comes_from_the_host" =>
    "if nft list table inet nixos-fw >/dev/null 2>&1; then
         nft add rule inet nixos-fw input-allow udp dport 67 accept
     elif systemctl --quiet is-active firewalld.service; then
         firewall-cmd --add-port=67/udp
     else
         iptables -I nixos-fw -p udp --dport 67 -j nixos-fw-accept
     fi")]
async fn own_rules_refuse_the_uplink(lab: &Lab) -> Outcome {
    evaluated::rules(lab.host()).await?;
    let open = open_to_the_uplink(lab.host()).await?;
    expect("what gets in from the uplink").equal(open, ["ssh"])
}

/// What of [`ASKED`] gets in from the guest of `web`.
async fn open_to_guests(host: &Host) -> Result<Vec<String>, ScenarioError> {
    let web = host.container("web");
    let counters = PacketCounters::put(host, "ve-web", &ASKED).await?;
    let script = format!(
        "host=$(ip -4 route show default dev host0 | cut -d' ' -f3)\n{}",
        ask("$host")
    );
    counters
        .let_through(|| async { web.execute(&script).await.map(drop) })
        .await
}

/// The host's kernel takes every variant of the rules, and every setting of their switches, but for the
/// variant that is known to be none.
#[scenario(on = Host, brings = ["firewall"])]
#[saboteur("nft-knows-the-wildcard", fails = "the variants that are refused",
    spares = "status::host_has_no_failed_units" =>
    shim("nft", "sed s/ve-+/ve-eth/ | real --check --file -"))]
async fn every_variant_is_a_rule_set(lab: &Lab) -> Outcome {
    let (mut refused, mut known) = (Vec::new(), Vec::new());
    for firewall in Firewall::all()
        .into_iter()
        .filter(|it| it.departures() <= 1)
    {
        let limit = std::time::Duration::from_secs(30);
        let script = format!("unshare --net sh -c {}", quote(firewall.check_script()));
        let rules = firewall.rules();
        let checked = lab
            .host()
            .execute_with(&script, rules.as_bytes(), limit)
            .await?;
        if checked.status != Status::Exit(0) {
            refused.push(firewall.text());
        }
        known.extend(firewall.is_refused().then(|| firewall.text()));
    }
    expect("the variants that are refused").equal(refused, known)
}
