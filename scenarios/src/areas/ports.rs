//! A port of the host that leads to a container: `Port=` of its `.nspawn` file.

use spawnlab::{prelude::*, scenario::ready::RESTART};

use crate::{
    dhcp::ANOTHER_NETWORK,
    outside::{HOST, Outside},
};

/// Gives `web` the host's port 8088 for its port 80, and restarts it.
pub(super) const FORWARD: &str = "set -e; /lab/tools/editable /etc/systemd/nspawn/web.nspawn
    printf '[Network]\\nPort=tcp:8088:80\\n' >> /etc/systemd/nspawn/web.nspawn
    systemctl restart systemd-nspawn@web.service";

/// The host's IPv6 address on the uplink.
const HOST_IPV6: &str = "2001:db8:1::1";
const IPV6: &str = "ip address add 2001:db8:1::1/64 dev uplink0 nodad
    ip -n outside address add 2001:db8:1::2/64 dev eth0 nodad";

pub(super) const DROP_PAGES: Change = script(
    "nft add table inet sabotage
     nft 'add chain inet sabotage forward { type filter hook forward priority 0; }'
     nft 'add rule inet sabotage forward tcp dport 80 drop'",
);

fn fetch(address: &str) -> String {
    format!(
        "curl -gsS -o /dev/null -w '%{{http_code}}' --connect-timeout 3 -m 10 http://{address}:8088/"
    )
}

/// Restarts `web` with the port, and with somebody outside who connects to it.
async fn forwarded(host: &Host) -> Result<Outside<'_>, ScenarioError> {
    let outside = Outside::of(host).await?;
    let restarted = host.execute_within(FORWARD, RESTART).await?;
    expect("the restart with the port").succeeded(restarted)?;
    Ok(outside)
}

/// Asserts under `name` that the page is served to those outside. The rule comes with the guest's address.
async fn served_outside(lab: &Lab, name: &'static str, outside: &Outside<'_>) -> Outcome {
    expect(name)
        .eventually(lab.seconds(15), "HTTP 200", || async {
            let page = outside.execute(&fetch(HOST)).await?;
            Ok(match page.stdout.trim() {
                "200" => Seen::Ready(()),
                _ => Seen::NotYet(format!("{} {}", page.status, page.stderr.trim())),
            })
        })
        .await
}

/// What comes to a port of the host that is a container's is served by the container, from outside and to the host
/// itself, and again after the container has moved to another network
/// (<https://github.com/systemd/systemd/issues/6106>, <https://github.com/systemd/systemd/issues/30475>).
#[scenario(on = Deployed, limit = 120)]
#[saboteur("dropped-on-the-way", fails = "the page from outside", spares = "names::http_by_name" =>
    DROP_PAGES)]
#[saboteur("another-network-is-dropped", fails = "the page after the move", spares = "names::http_by_name" =>
    "nft add table inet sabotage
     nft 'add chain inet sabotage forward { type filter hook forward priority 0; }'
     nft 'add rule inet sabotage forward ip daddr 10.80.0.0/28 drop'")]
async fn container_is_reached_by_the_hosts_port(lab: &Lab) -> Outcome {
    let host = lab.host();
    let outside = forwarded(host).await?;
    served_outside(lab, "the page from outside", &outside).await?;
    let own = host.execute(&fetch(HOST)).await?;
    expect("the page to the host itself").equal(own.stdout.trim(), "200")?;
    host.succeed(ANOTHER_NETWORK).await?;
    let restart = "systemctl restart systemd-nspawn@web.service";
    let restarted = host.execute_within(restart, RESTART).await?;
    expect("the restart into another network").succeeded(restarted)?;
    served_outside(lab, "the page after the move", &outside).await
}

/// The host's port that is a container's leads there from the host's loopback, too
/// (<https://github.com/systemd/systemd/issues/6106>).
#[scenario(on = Deployed, limit = 90)]
#[saboteur("dropped-on-the-way", fails = "the page from outside", spares = "names::http_by_name" =>
    DROP_PAGES)]
async fn container_is_reached_by_the_hosts_loopback(lab: &Lab) -> Outcome {
    let host = lab.host();
    let outside = forwarded(host).await?;
    served_outside(lab, "the page from outside", &outside).await?;
    let page = host.execute(&fetch("127.0.0.1")).await?;
    expect("the page by the loopback").equal(page.stdout.trim(), "200")
}

/// The host's port that is a container's leads there over IPv6, too
/// (<https://github.com/systemd/systemd/issues/30475>).
#[scenario(on = Deployed, limit = 90)]
#[saboteur("dropped-on-the-way", fails = "the page from outside", spares = "names::http_by_name" =>
    DROP_PAGES)]
async fn container_is_reached_by_the_hosts_port_over_ipv6(lab: &Lab) -> Outcome {
    let host = lab.host();
    let outside = forwarded(host).await?;
    host.succeed(IPV6).await?;
    served_outside(lab, "the page from outside", &outside).await?;
    let page = outside.execute(&fetch(&format!("[{HOST_IPV6}]"))).await?;
    expect("the page over IPv6").equal(page.stdout.trim(), "200")
}
