//! Address, link and masquerading of a container.

use spawnlab::{prelude::*, scenario::ready::RESTART};

use crate::dhcp::one_lease;

/// The guest gets its address from the host's DHCP server, not by link-local fallback.
#[scenario(on = Deployed)]
#[saboteur("no-dhcp-server", fails = "the lease", spares = "status::host_has_no_failed_units" =>
    file("/run/systemd/network/80-container-ve.network.d/sabotage.conf", "[Network]\nDHCPServer=no"),
    "networkctl reload
     /lab/tools/in-guest web 'networkctl down host0; networkctl up host0'")]
async fn lease_comes_from_the_host(lab: &Lab) -> Outcome {
    let host = lab.host();
    let web = host.container("web");
    let lease = expect("the lease").leased(&web, lab.seconds(10)).await?;
    let link = host.link("web").await?;
    let subnet = link.subnet();
    expect("the lease is from the host's subnet").that(
        subnet.is_some_and(|subnet| subnet.contains(lease)),
        format_args!("{lease} in the subnet of ve-web"),
        link.summary(),
    )
}

/// The link is routable on the host's end and on the guest's.
#[scenario(on = Deployed)]
#[saboteur("guest-loses-its-address", fails = "the guest's end", spares = "status::host_has_no_failed_units" =>
    "/lab/tools/in-guest web 'ip address flush dev host0 scope global
         systemctl stop systemd-networkd.socket systemd-networkd.service'")]
async fn link_is_routable_on_both_ends(lab: &Lab) -> Outcome {
    let host = lab.host();
    let theirs = host.link("web").await?;
    expect("the host's end").equal(theirs.operational_state.as_str(), "routable")?;
    let guests = host
        .container("web")
        .execute("ip -j -4 address show dev host0 scope global; ip -j route show default")
        .await?;
    let text = expect("the guest's end is there").succeeded(guests)?;
    expect("the guest's end").that(
        text.contains("192.168.") || text.contains("10.") || text.contains("172."),
        "a global address and a default route",
        text.trim(),
    )
}

/// After each restart of the container the guest holds the address that it had, and the host counts one
/// lease for it (<https://github.com/systemd/systemd/issues/30021>, <https://github.com/systemd/systemd/issues/31730>).
#[scenario(on = Deployed, limit = 60, per_iteration = 45)]
#[saboteur("another-network-after-restart", fails = "the address after the restart",
    spares = "status::host_has_no_failed_units" =>
    file("/run/systemd/network/70-other.network",
        "[Match]\nName=ve-web\n[Network]\nAddress=10.80.0.1/28\nDHCPServer=yes"),
    drop_in("systemd-nspawn@web.service", "[Service]\nExecStopPost=/bin/sh -c 'networkctl reload'"))]
#[saboteur("no-dhcp-after-restart", fails = "the lease after the restart",
    spares = "status::host_has_no_failed_units" =>
    "nft add table inet sabotage
     nft 'add chain inet sabotage input { type filter hook input priority 0; }'
     nft 'add rule inet sabotage input iifname \"ve-*\" udp dport 67 drop'")]
async fn lease_returns_after_container_restart(lab: &Lab) -> Outcome {
    let host = lab.host();
    let web = host.container("web");
    let first = expect("the lease").leased(&web, lab.seconds(10)).await?;
    for _ in 0..lab.iterations().get() {
        let restart = "systemctl restart systemd-nspawn@web.service";
        let restarted = host.execute_within(restart, RESTART).await?;
        expect("the restart").succeeded(restarted)?;
        let lease = expect("the lease after the restart")
            .leased(&web, lab.seconds(10))
            .await?;
        expect("the address after the restart").equal(lease, first)?;
        one_lease(host).await?;
        host.container("web").wait_ready().await?;
    }
    Ok(())
}

/// After a restart of the host's networkd the guest still holds a lease, and can renew it.
#[scenario(on = Deployed, limit = 90)]
#[saboteur("server-gone-after-restart", fails = "the renewed lease", spares = "status::host_has_no_failed_units" =>
    file("/run/systemd/network/80-container-ve.network.d/sabotage.conf", "[Network]\nDHCPServer=no"))]
async fn lease_survives_networkd_restart(lab: &Lab) -> Outcome {
    let host = lab.host();
    let web = host.container("web");
    host.succeed("systemctl restart systemd-networkd.service")
        .await?;
    expect("the host's end comes back")
        .eventually(lab.seconds(10), "ve-web configured", || async {
            let link = host.link("web").await?;
            Ok(match link.administrative_state.as_str() {
                "configured" => Seen::Ready(()),
                _ => Seen::NotYet(link.summary()),
            })
        })
        .await?;
    // Down and up: a lease that is only remembered does not count.
    web.succeed("networkctl down host0; networkctl up host0")
        .await?;
    expect("the renewed lease")
        .leased(&web, lab.seconds(10))
        .await?;
    Ok(())
}

/// A guest that asks again and again, as after restarts of its networkd, takes one lease and not one each time
/// (<https://github.com/systemd/systemd/issues/37835>, <https://github.com/systemd/systemd/issues/34337>).
#[scenario(on = Deployed, limit = 60, per_iteration = 10)]
#[saboteur("asks-under-another-name", fails = "the leases given", spares = "status::host_has_no_failed_units" =>
    "nsenter -t $(machinectl show -p Leader --value web) -n \
         busybox udhcpc -i host0 -n -q -f -t 5 -T 2 -C -x 0x3d:02736162 -s true")]
async fn asking_again_takes_no_second_lease(lab: &Lab) -> Outcome {
    let host = lab.host();
    let web = host.container("web");
    for _ in 0..lab.iterations().get() {
        web.succeed("systemctl restart systemd-networkd.service")
            .await?;
        expect("the lease after the restart")
            .leased(&web, lab.seconds(10))
            .await?;
    }
    one_lease(host).await
}

/// What leaves a container for the world is masqueraded as the host.
#[scenario(on = Deployed)]
#[saboteur("masquerade-removed", fails = "the masquerade rule", spares = "names::name_is_the_leased_address" =>
    "nft delete table ip io.systemd.nat")]
async fn masquerading_is_set_up(lab: &Lab) -> Outcome {
    let host = lab.host();
    let link = host.link("web").await?;
    let rules = host.execute("nft -j list table ip io.systemd.nat").await?;
    let rules = expect("the masquerade rule").succeeded(rules)?;
    expect("the masquerade rule").contains(&rules, "masquerade")?;
    let subnet = link.subnet().map(|subnet| subnet.to_string());
    expect("the host's subnet").that(subnet.is_some(), "a subnet on ve-web", link.summary())
}

/// Two containers run at once, each with a lease from a network of its own.
#[scenario(on = Deployed)]
#[saboteur("second-container-stopped", fails = "the second lease", spares = "networking::lease_comes_from_the_host" =>
    stop_unit("systemd-nspawn@a-container-with-a-long-name.service"))]
async fn two_containers_have_networks_of_their_own(lab: &Lab) -> Outcome {
    let host = lab.host();
    let first = host.container("web").link().await?;
    let second = host
        .execute("/lab/tools/in-guest a-container-with-a-long-name 'networkctl --json=short status host0'")
        .await?;
    let second = expect("the second lease").succeeded(second)?;
    let first_lease = first.leased();
    expect("the first lease").that(first_lease.is_some(), "a leased address", first.summary())?;
    let link = host.link("a-container-with-a-long-name").await?;
    let subnet = link.subnet();
    expect("the networks differ").that(
        matches!((subnet, first_lease), (Some(subnet), Some(lease)) if !subnet.contains(lease)),
        "the first lease outside of the second network",
        format_args!("{first_lease:?}, {}", link.summary()),
    )?;
    expect("the second lease").contains(&second, "DHCPv4")
}

/// With `Address=::/64` for the links of containers, guests get unique local addresses of their hosts' networks
/// (<https://github.com/systemd/systemd/issues/29115>).
#[scenario(on = Deployed, limit = 90)]
#[saboteur("host-has-none", fails = "the host's address", spares = "networking::lease_comes_from_the_host" =>
    file("/run/systemd/network/80-container-ve.network.d/90-sabotage.conf", "[Network]\nAddress="))]
async fn unique_local_address_comes_with_the_hosts(lab: &Lab) -> Outcome {
    let host = lab.host();
    let web = host.container("web");
    let restart = "set -e; folder=/run/systemd/network/80-container-ve.network.d; mkdir -p $folder
        printf '[Network]\\nAddress=::/64\\n' > $folder/10-address.conf
        networkctl reload; systemctl restart systemd-nspawn@web.service";
    let restarted = host.execute_within(restart, RESTART).await?;
    expect("the restart").succeeded(restarted)?;
    unique_local(lab, "the host's address", host, "ve-web").await?;
    unique_local(lab, "the guest's address", &web, "host0").await
}

/// Asserts under `name` that `link` of `machine` gets a unique local address.
async fn unique_local(lab: &Lab, name: &'static str, machine: &impl Verbs, link: &str) -> Outcome {
    let show = format!("ip -6 -o address show scope global dev {link}");
    expect(name)
        .eventually(lab.seconds(10), "a unique local one", || async {
            let found = machine.succeed(&show).await?;
            Ok(
                match found.split_whitespace().any(|word| word.starts_with("fd")) {
                    true => Seen::Ready(()),
                    false => Seen::NotYet(found),
                },
            )
        })
        .await
}
