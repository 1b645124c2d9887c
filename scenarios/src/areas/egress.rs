//! What a guest reaches beyond its host: forwarding, masquerading, and filters of either kind.

use spawnlab::prelude::*;

use crate::{
    evaluated,
    firewall::Firewall,
    outside::{Outside, ping},
    ruleset::Backend,
};

/// The host forwards what a guest sends beyond it, and the answers find the way back
/// (<https://github.com/systemd/systemd/issues/33004>, <https://github.com/systemd/systemd/issues/34010>).
#[scenario(on = Deployed)]
#[saboteur("forwarding-off", fails = "forwarding on the guest's link", spares = "names::http_by_name" =>
    "sysctl -q net.ipv4.conf.ve-web.forwarding=0")]
#[saboteur("masquerade-removed", fails = "the answer from outside", spares = "names::http_by_name" =>
    "nft delete table ip io.systemd.nat")]
async fn guest_reaches_what_lies_beyond_the_host(lab: &Lab) -> Outcome {
    let host = lab.host();
    Outside::of(host).await?;
    let forwarding = host
        .succeed("cat /proc/sys/net/ipv4/conf/ve-web/forwarding")
        .await?;
    expect("forwarding on the guest's link").equal(forwarding.trim(), "1")?;
    let answer = ping(&host.container("web")).await?;
    expect("the answer from outside").succeeded(answer)?;
    Ok(())
}

/// NixOS' `filterForward` keeps guests in, and lets them out with an `extraForwardRules` that
/// accepts what comes from them (<https://github.com/NixOS/nixpkgs/issues/437920>).
#[scenario(on = Deployed, brings = ["firewall"])]
#[saboteur("policy-is-accept", fails = "the answer from outside through the filter",
    spares = "egress::nftables_reload_keeps_guests_connected" =>
    shim("nft", r#"for file; do :; done
        [ ! -f $file ] || sed -i "/hook forward/s/policy drop/policy accept/" $file
        real "$@""#))]
#[saboteur("guests-are-forgotten", fails = "the answer from outside with the rule",
    spares = "egress::nftables_reload_keeps_guests_connected" =>
    shim("nft", r#"for file; do :; done
        [ ! -f $file ] || sed -i "/iifname .ve-.. accept/d" $file
        real "$@""#))]
async fn forward_filter_needs_a_rule_for_guests(lab: &Lab) -> Outcome {
    let host = lab.host();
    let web = host.container("web");
    Outside::of(host).await?;
    let filtered = Firewall::written("nftables:nixos+forward");
    filtered.load(host).await?;
    expect("the answer from outside through the filter").refused(ping(&web).await?)?;
    let dropped = filtered.counter(host, "dropped-forward").await?;
    expect("the packets that the filter dropped").differ(dropped, 0)?;
    Firewall::written("nftables:nixos+forward=containers")
        .load(host)
        .await?;
    expect("the answer from outside with the rule").succeeded(ping(&web).await?)?;
    Ok(())
}

/// A reload of NixOS' {case} rules leaves the masquerading of guests in place
/// ({<https://github.com/systemd/systemd/issues/17026>, <https://github.com/firewalld/firewalld/issues/742>
/// |<https://github.com/systemd/systemd/issues/13704>}).
#[scenario(on = Deployed, brings = ["firewall"], cases(nftables, iptables))]
#[saboteur("all-tables-are-flushed", fails = "the masquerading after the reload",
    spares = "networking::lease_comes_from_the_host", case = nftables =>
    shim("nft", r#"case "$*" in --file*) real flush ruleset ;; esac
        real "$@""#))]
#[saboteur("all-tables-are-flushed", fails = "the masquerading after the reload",
    spares = "networking::lease_comes_from_the_host", case = iptables =>
    shim("iptables-restore", r#"nft delete table ip io.systemd.nat 2>/dev/null
        real "$@""#))]
async fn reload_keeps_guests_connected(lab: &Lab, backend: Backend) -> Outcome {
    let host = lab.host();
    Outside::of(host).await?;
    for _ in 0..2 {
        Firewall::nixos(backend).load(host).await?;
    }
    still_connected(host).await
}

/// A reload of the rules that NixOS' modules generated for the host leaves the masquerading of guests in place
/// (<https://github.com/systemd/systemd/issues/17026>, <https://github.com/firewalld/firewalld/issues/742>).
#[scenario(on = Deployed, wants = [NixosModules])]
#[saboteur("all-tables-are-flushed", fails = "the masquerading after the reload",
    spares = "networking::lease_comes_from_the_host" =>
    "for unit in firewall nftables firewalld; do
         mkdir -p /run/systemd/system/$unit.service.d
         printf '[Service]\\nExecReload=-%s delete table ip io.systemd.nat\\n' $(command -v nft) \
             > /run/systemd/system/$unit.service.d/zz-sabotage.conf
     done
     systemctl daemon-reload")]
async fn reload_of_own_rules_keeps_guests_connected(lab: &Lab) -> Outcome {
    let host = lab.host();
    let unit = evaluated::rules(host).await?.unit();
    Outside::of(host).await?;
    for _ in 0..2 {
        let reload = host.execute(&format!("systemctl reload {unit}")).await?;
        expect("the reload").succeeded(reload)?;
    }
    still_connected(host).await
}

/// Asserts that the guest of `web` is masqueraded, and reaches those beyond the host.
async fn still_connected(host: &Host) -> Outcome {
    let masquerading = host.execute("nft list table ip io.systemd.nat").await?;
    expect("the masquerading after the reload").succeeded(masquerading)?;
    let answer = ping(&host.container("web")).await?;
    expect("the answer from outside after the reload").succeeded(answer)?;
    Ok(())
}
