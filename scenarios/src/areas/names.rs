//! The container's name, as the host's programs resolve it, and what answers under it.

use std::net::Ipv4Addr;

use spawnlab::prelude::*;

use crate::facts::{host_link, leased_address, resolved_all};

/// A name that does not fit into the 15 characters of an interface name.
const LONG: &str = "a-container-with-a-long-name";
/// What the machine `web` serves.
const PAGE: &str = "web version 1\n";

spawnlab::scenarios! {
    area "names";

    /// On the host the container's name resolves to the IPv4 address that it leased, and to no other.
    name_is_the_leased_address on Deployed {
        "stale-entry-in-hosts" fails "the name" spares "networking::lease_comes_from_the_host":
            "echo '192.0.2.9 web' >> /etc/hosts";
    }

    /// A web server in the container answers to HTTP by the container's name.
    http_by_name on Deployed {
        "server-stopped" fails "the page" spares "names::name_is_the_leased_address":
            "systemctl -M web stop nginx.service";
        "name-of-another-container" fails "the address that answered" spares "names::http_through_the_host_proxy":
            "echo \"$(getent ahostsv4 a-container-with-a-long-name | head -n 1 | cut -d' ' -f1) web\" >> /etc/hosts";
    }

    /// A proxy on the host reaches the container's web server by the container's name.
    http_through_the_host_proxy on Deployed {
        "proxy-to-a-wrong-address" fails "the page through the proxy" spares "names::http_by_name":
            "sed -i 's|http://web/|http://127.0.0.9:9/|' /etc/lab/proxy.conf
             systemctl restart lab-proxy.service";
    }

    /// The guest's host name is the name of the container.
    guest_host_name_is_the_containers on Deployed {
        "renamed" fails "the guest's host name" spares "names::name_is_the_leased_address":
            "systemd-run -M web --quiet --wait --collect busybox hostname somebody-else";
    }

    /// A container whose name is longer than an interface name has a link, a lease, a name and a page all the same.
    long_name_works_the_same on Deployed {
        "alternative-name-removed" fails "the link under its whole name" spares "names::name_is_the_leased_address":
            "link=$(ip -j link show ve-a-container-with-a-long-name | jq -r '.[0].ifname')
             ip link property del dev $link altname ve-a-container-with-a-long-name";
        "stale-entry-in-hosts" fails "the long name" spares "names::http_by_name":
            "echo '192.0.2.9 a-container-with-a-long-name' >> /etc/hosts";
    }

    /// After a restart that brings another address the name follows it, and so does the proxy.
    name_follows_the_address on Deployed limit 120 {
        "old-address-in-hosts" fails "the name after the restart" spares "names::name_is_the_leased_address":
            "echo \"$(getent ahostsv4 web | head -n 1 | cut -d' ' -f1) web\" >> /etc/hosts";
        "proxy-not-restarted" fails "the page through the proxy after the restart" spares "names::http_through_the_host_proxy":
            "sed -i '/BindsTo=/d' /etc/systemd/system/lab-proxy.service
             rm /etc/systemd/system/systemd-nspawn@web.service.wants/lab-proxy.service
             systemctl daemon-reload";
    }
}

async fn name_is_the_leased_address(lab: &Lab) -> Outcome {
    let lease = lease(lab, "web").await?;
    expect("the name").equal(resolved_all(lab.host(), "web").await?, [lease])
}

async fn http_by_name(lab: &Lab) -> Outcome {
    let lease = lease(lab, "web").await?;
    let (page, from) = get(lab.host(), "http://web/").await?;
    expect("the page").equal(page.as_str(), PAGE)?;
    expect("the address that answered").equal(from, lease.to_string())
}

async fn http_through_the_host_proxy(lab: &Lab) -> Outcome {
    let (page, _) = get(lab.host(), "http://localhost:8080/").await?;
    expect("the page through the proxy").equal(page.as_str(), PAGE)
}

async fn guest_host_name_is_the_containers(lab: &Lab) -> Outcome {
    let name = lab.host().container("web").succeed("uname -n").await?;
    expect("the guest's host name").equal(name.trim(), "web")
}

async fn long_name_works_the_same(lab: &Lab) -> Outcome {
    let host = lab.host();
    let known = host.execute(&format!("ip link show ve-{LONG}")).await?;
    expect("the link under its whole name").succeeded(known)?;
    let link = host_link(host, LONG).await?;
    let lease = lease(lab, LONG).await?;
    expect("the lease is from the link's subnet").that(
        link.subnet().is_some_and(|subnet| subnet.contains(lease)),
        format_args!("{lease} in the subnet of ve-{LONG}"),
        link.summary(),
    )?;
    expect("the long name").equal(resolved_all(host, LONG).await?, [lease])?;
    let (page, from) = get(host, &format!("http://{LONG}/")).await?;
    expect("the page under the long name")
        .equal((page.as_str(), from), (PAGE, lease.to_string()))?;
    let name = host.container(LONG).succeed("uname -n").await?;
    expect("the guest's long host name").equal(name.trim(), LONG)
}

async fn name_follows_the_address(lab: &Lab) -> Outcome {
    let host = lab.host();
    // The same network would give the same address again: a name that stayed behind would not show.
    host.succeed(
        "set -e; mkdir -p /run/systemd/network
         printf '%s\\n' '[Match]' Name=ve-web '[Network]' Address=10.80.0.1/28 DHCPServer=yes > /run/systemd/network/70-other.network
         networkctl reload; systemctl restart systemd-nspawn@web.service",
    )
    .await?;
    let lease = expect("a lease of the other network")
        .eventually(lab.seconds(10), "an address of 10.80.0.0/28", || async {
            Ok(match leased_address(host, "web").await? {
                Some(lease) if lease.octets()[..3] == [10, 80, 0] => Seen::Ready(lease),
                other => Seen::NotYet(format!("{other:?}")),
            })
        })
        .await?;
    expect("the name after the restart")
        .eventually(lab.seconds(5), lease.to_string(), || async {
            let found = resolved_all(host, "web").await?;
            Ok(seen(found == [lease], format!("{found:?}")))
        })
        .await?;
    let (page, from) = get(host, "http://web/").await?;
    expect("the page after the restart").equal((page.as_str(), from), (PAGE, lease.to_string()))?;
    expect("the page through the proxy after the restart")
        .eventually(lab.seconds(8), PAGE, || async {
            let (page, _) = get(host, "http://localhost:8080/").await?;
            Ok(seen(page == PAGE, page))
        })
        .await
}

fn seen(enough: bool, what: String) -> Seen<()> {
    if enough {
        Seen::Ready(())
    } else {
        Seen::NotYet(what)
    }
}

/// The address that `container` leased, which it has to have.
async fn lease(lab: &Lab, container: &str) -> Result<Ipv4Addr, Broken> {
    expect("the lease")
        .eventually(lab.seconds(5), "an address leased by DHCP", || async {
            let lease = leased_address(lab.host(), container).await?;
            Ok(lease.map_or_else(|| Seen::NotYet("none".into()), Seen::Ready))
        })
        .await
}

/// What `url` answers (or curl's complaint), and the address that answered.
///
/// Over IPv4, because link-local IPv6 answers on a host without leases, too.
async fn get(host: &Host, url: &str) -> Result<(String, String)> {
    let script = format!("curl -4 -sS -m 20 -w '|%{{remote_ip}}' {}", quote(url));
    let output = host.execute(&script).await?;
    let (page, from) = output.stdout.rsplit_once('|').unwrap_or_default();
    Ok((format!("{page}{}", output.stderr), from.to_owned()))
}
