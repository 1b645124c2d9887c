//! A router in the host's network.

use std::time::Duration;

use spawnlab::prelude::*;

/// Has networkd treat the lab's card as `settings` say, in a file of systemd.network.
fn treat_card(settings: &str) -> String {
    format!(
        "set -e; folder=/run/systemd/network/00-lab.network.d; mkdir -p $folder
         printf '%s\\n' '[Network]' LinkLocalAddressing=ipv6 {settings} >$folder/router.conf
         systemctl restart systemd-networkd"
    )
}

/// Has a machine be a router that advertises itself and the IPv6 network `prefix`.
async fn advertise(machine: &Host, prefix: &str) -> Outcome {
    let settings = format!(
        "IPv6SendRA=yes '[IPv6SendRA]' RouterLifetimeSec=900 '[IPv6Prefix]' Prefix={prefix}/64"
    );
    machine.succeed(&treat_card(&settings)).await?;
    Ok(())
}

/// A host with `IPv6AcceptRA=yes` on its uplink takes a router's advertisements also after its first container has started,
/// which turns on forwarding. Without that line networkd stops taking them then, and drops the address and the route that it had
/// (<https://github.com/systemd/systemd/issues/37029>).
#[scenario(area = "remote", machines(router = Host, host = Host), limit = 150)]
#[saboteur("left-to-networkd", fails = "the address after the first container", on = "host",
    spares = "deploy::first_deploy_starts_the_container" =>
    file("/run/systemd/network/00-lab.network.d/zz-sabotage.conf", "[Network]\nIPv6AcceptRA="))]
async fn router_advertisements_are_taken_after_the_first_container(lab: &Lab) -> Outcome {
    let (router, host) = (lab.machine("router"), lab.machine("host"));
    advertise(router, "2001:db8:99::").await?;
    host.succeed(&treat_card("IPv6AcceptRA=yes")).await?;
    let has_address = "ip -6 address | grep -q 2001:db8:99:";
    host.wait_until_succeeds(has_address, Duration::from_secs(30))
        .await?;
    let first = lab.deploy(Deploy::of("bare")).await?;
    expect("the first container").succeeded(first)?;
    // One that the host has not got before.
    advertise(router, "2001:db8:9a::").await?;
    expect("the address after the first container")
        .eventually(lab.seconds(15), "one of 2001:db8:9a::/64", || async {
            let addresses = host.succeed("ip -6 -o address show scope global").await?;
            Ok(match addresses.contains("2001:db8:9a:") {
                true => Seen::Ready(()),
                false => Seen::NotYet(addresses.trim().to_owned()),
            })
        })
        .await?;
    let route = host.succeed("ip -6 route show default proto ra").await?;
    let router = router.identity().link_local.to_string();
    expect("the default route").that(route.contains(&router), &router, &route)
}
