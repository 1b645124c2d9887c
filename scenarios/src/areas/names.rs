//! The container's name, as the host's programs resolve it, and what answers under it.

use std::net::Ipv4Addr;

use spawnlab::{prelude::*, scenario::ready::RESTART};

use crate::dhcp::{ANOTHER_NETWORK, ask_from_another_network};

/// A name that does not fit into the 15 characters of an interface name.
const LONG: &str = "a-container-with-a-long-name";
/// One that begins with the same eighteen letters, of which an interface name holds a part.
const ALIKE: &str = "a-container-with-another-name";
/// What the machine `web` serves.
const PAGE: &str = "web version 1\n";

/// On the host the container's name resolves to the IPv4 address that it leased, and to no other.
#[scenario(on = Deployed)]
#[saboteur("stale-entry-in-hosts", fails = "the name", spares = "networking::lease_comes_from_the_host" =>
    "/lab/tools/name-in-hosts 192.0.2.9 web")]
async fn name_is_the_leased_address(lab: &Lab) -> Outcome {
    let lease = lease(lab, "web").await?;
    expect("the name").equal(lab.host().resolve_all("web").await?, [lease])
}

/// A web server in the container answers to HTTP by the container's name.
#[scenario(on = Deployed)]
#[saboteur("server-stopped", fails = "the page", spares = "names::name_is_the_leased_address" =>
    in_guest("web", stop_unit("nginx.service")))]
#[saboteur("name-of-another-container", fails = "the address that answered",
    spares = "names::http_through_the_host_proxy" =>
    "/lab/tools/name-in-hosts $(getent ahostsv4 a-container-with-a-long-name | head -n 1 | cut -d' ' -f1) web")]
async fn http_by_name(lab: &Lab) -> Outcome {
    let lease = lease(lab, "web").await?;
    let (page, from) = get(lab.host(), "http://web/").await?;
    expect("the page").equal(page.as_str(), PAGE)?;
    expect("the address that answered").equal(from, lease.to_string())
}

/// A proxy on the host reaches the container's web server by the container's name.
#[scenario(on = Deployed)]
#[saboteur("proxy-to-a-wrong-address", fails = "the page through the proxy", spares = "names::http_by_name" =>
    edit("/etc/lab/proxy.conf", "s|http://web/|http://127.0.0.9:9/|"),
    "systemctl restart lab-proxy.service")]
async fn http_through_the_host_proxy(lab: &Lab) -> Outcome {
    let (page, _) = get(lab.host(), "http://localhost:8080/").await?;
    expect("the page through the proxy").equal(page.as_str(), PAGE)
}

/// The guest's host name is the name of the container.
#[scenario(on = Deployed)]
#[saboteur("renamed", fails = "the guest's host name", spares = "names::name_is_the_leased_address" =>
    "nsenter --target $(machinectl show -P Leader web) --uts busybox hostname somebody-else")]
async fn guest_host_name_is_the_containers(lab: &Lab) -> Outcome {
    let name = lab.host().container("web").succeed("uname -n").await?;
    expect("the guest's host name").equal(name.trim(), "web")
}

/// A container whose name is longer than an interface name has a link, a lease, a name and a page all the same.
#[scenario(on = Deployed)]
#[saboteur("alternative-name-removed", fails = "the link under its whole name",
    spares = "names::name_is_the_leased_address" =>
    "link=$(ip -j link show ve-a-container-with-a-long-name | jq -r '.[0].ifname')
     ip link property del dev $link altname ve-a-container-with-a-long-name")]
#[saboteur("stale-entry-in-hosts", fails = "the long name", spares = "names::http_by_name" =>
    "/lab/tools/name-in-hosts 192.0.2.9 a-container-with-a-long-name")]
async fn long_name_works_the_same(lab: &Lab) -> Outcome {
    let host = lab.host();
    let known = host.execute(&format!("ip link show ve-{LONG}")).await?;
    expect("the link under its whole name").succeeded(known)?;
    let link = host.link(LONG).await?;
    let lease = lease(lab, LONG).await?;
    expect("the lease is from the link's subnet").that(
        link.subnet().is_some_and(|subnet| subnet.contains(lease)),
        format_args!("{lease} in the subnet of ve-{LONG}"),
        link.summary(),
    )?;
    expect("the long name").equal(host.resolve_all(LONG).await?, [lease])?;
    let (page, from) = get(host, &format!("http://{LONG}/")).await?;
    expect("the page under the long name")
        .equal((page.as_str(), from), (PAGE, lease.to_string()))?;
    let name = host.container(LONG).succeed("uname -n").await?;
    expect("the guest's long host name").equal(name.trim(), LONG)
}

/// Declares [`ALIKE`] as the other long name is declared, and starts it on the same closure.
const START_ALIKE: &str =
    "set -e; old=a-container-with-a-long-name new=a-container-with-another-name
    profiles=/nix/var/nix/profiles/per-container
    /lab/tools/declare-like $old $new
    ln -s $(readlink -f $profiles/$old/system) $profiles/$new/system
    systemctl start systemd-nspawn@$new.service";

/// Two containers whose names differ only behind what an interface name holds have a link and a lease each
/// (<https://github.com/systemd/systemd/issues/10721>, <https://github.com/NixOS/nixpkgs/issues/38509>).
#[scenario(on = Deployed, limit = 120)]
#[saboteur("alternative-name-is-lost", fails = "the second link under its whole name",
    spares = "names::long_name_works_the_same" =>
    "mkdir -p /run/systemd/system/systemd-nspawn@a-container-with-another-name.service.d
     printf '[Service]\\nExecStartPost=/bin/sh -c \"PATH=%s; link=$$(ip -j link show ve-%%i | jq -r .[0].ifname); ip link property del dev $$link altname ve-%%i\"\\n' $PATH \
         > /run/systemd/system/systemd-nspawn@a-container-with-another-name.service.d/zz-sabotage.conf")]
async fn names_alike_have_links_of_their_own(lab: &Lab) -> Outcome {
    let host = lab.host();
    let started = host.execute_within(START_ALIKE, RESTART).await?;
    expect("starting the second one").succeeded(started)?;
    let known = host.execute(&format!("ip link show ve-{ALIKE}")).await?;
    expect("the second link under its whole name").succeeded(known)?;
    host.container(ALIKE).wait_ready().await?;
    let links = (host.link(LONG).await?, host.link(ALIKE).await?);
    expect("the links").differ(&links.0.name, &links.1.name)?;
    let both = [&links.0, &links.1].map(|link| (link.name.len() <= 15, link.subnet().is_some()));
    expect("short names, and networks").equal(both, [(true, true); 2])?;
    let first = lease(lab, LONG).await?;
    expect("the first one's lease is not of the second network").that(
        links
            .1
            .subnet()
            .is_some_and(|subnet| !subnet.contains(first)),
        format_args!("{first} elsewhere"),
        links.1.summary(),
    )
}

/// The first address that the container's name leads to, whatever its family, is no link-local one
/// (<https://github.com/systemd/systemd/issues/20724>).
#[scenario(on = Deployed)]
#[saboteur("only-files-are-asked", fails = "the lookup", spares = "networking::lease_comes_from_the_host" =>
    edit("/etc/nsswitch.conf", "/^hosts:/s/.*/hosts: files/"),
    "if systemctl --quiet is-active nscd.service; then systemctl restart nscd.service; fi")]
async fn first_address_is_not_link_local(lab: &Lab) -> Outcome {
    let found = lab.host().execute("getent hosts web").await?;
    let found = expect("the lookup").succeeded(found)?;
    let first = found.split_whitespace().next().unwrap_or_default();
    expect("the first address of any family").that(
        !first.starts_with("fe80:") && !first.starts_with("169.254."),
        "one that is not link-local",
        first,
    )
}

/// systemd-resolved, asked on the host, answers for the container's name with the address that it leased, and so
/// programs that speak DNS find containers, too (<https://github.com/systemd/systemd/issues/20725>).
#[scenario(on = Deployed, wants = [ResolveHook])]
#[saboteur("nobody-to-ask", fails = "what systemd-resolved says", spares = "networking::lease_comes_from_the_host" =>
    "rm /run/systemd/resolve.hook/*")]
async fn resolved_knows_the_name(lab: &Lab) -> Outcome {
    let lease = lease(lab, "web").await?;
    let query = "resolvectl --no-pager --legend=no --type=A query web";
    let said = lab.host().execute(query).await?;
    let said = expect("what systemd-resolved says").succeeded(said)?;
    expect("the address").contains(&said, &lease.to_string())
}

/// Networks that exist only inside the guest, such as docker's, are not among the addresses of its name
/// (<https://github.com/systemd/systemd/issues/19253>).
#[scenario(on = Deployed)]
#[saboteur("stale-entry-in-hosts", fails = "the first address", spares = "networking::lease_comes_from_the_host" =>
    "/lab/tools/name-in-hosts 192.0.2.9 web")]
async fn networks_inside_stay_out_of_the_name(lab: &Lab) -> Outcome {
    let host = lab.host();
    let lease = lease(lab, "web").await?;
    host.container("web")
        .succeed(
            "ip link add docker0 type dummy; ip address add 172.17.0.1/16 dev docker0
             ip link set docker0 up",
        )
        .await?;
    let found = host.resolve_all("web").await?;
    expect("the first address").equal(found.first(), Some(&lease))?;
    expect("the addresses").equal(found, [lease])
}

/// A second proxy, on port 8081, which says where it went; nobody restarts it.
const PLAIN_PROXY: &str = "mkdir -p /run/plain; printf '%s\\n' 'user nobody nogroup; pid /run/plain/pid; error_log stderr; events {}' \
        'http { access_log off; server { listen 8081; location / { proxy_pass http://web/; proxy_connect_timeout 2s; add_header Went-To $upstream_addr always; } } }' \
        > /run/plain/conf
    systemd-run --quiet --unit=plain-proxy -p Type=forking -p PIDFile=/run/plain/pid nginx -c /run/plain/conf -e stderr";

/// Where the plain proxy went for a handful of requests: it takes turns among the addresses that it found.
async fn went_to(host: &Host) -> Result<String> {
    let script =
        "for request in 1 2 3 4; do curl -sS -m 30 -o /dev/null -D - http://localhost:8081/; done";
    let heads = host.succeed(script).await?;
    let lines = heads
        .lines()
        .filter_map(|line| line.strip_prefix("Went-To: "));
    Ok(lines.collect::<Vec<_>>().join(", "))
}

/// A proxy that nobody restarts goes to the address that the container has, also when that changed
/// (<https://github.com/systemd/systemd/issues/30021>).
#[scenario(on = Deployed)]
#[saboteur("stale-entry-in-hosts", fails = "the address that the proxy goes to",
    spares = "networking::lease_comes_from_the_host" =>
    "/lab/tools/name-in-hosts 192.0.2.9 web")]
async fn proxy_follows_the_address_by_itself(lab: &Lab) -> Outcome {
    let host = lab.host();
    let first = lease(lab, "web").await?;
    host.succeed(PLAIN_PROXY).await?;
    let known = went_to(host).await?;
    expect("the address that the proxy goes to").contains(&known, &format!("{first}:80"))?;
    ask_from_another_network(host).await?;
    let second = another_lease(lab).await?;
    expect("the address that the proxy goes to after the change")
        .contains(&went_to(host).await?, &format!("{second}:80"))
}

/// After a restart that brings another address the name follows it, and so does the proxy.
#[scenario(on = Deployed, limit = 120)]
#[saboteur("old-address-in-hosts", fails = "the name after the restart", spares = "names::name_is_the_leased_address" =>
    "/lab/tools/name-in-hosts $(getent ahostsv4 web | head -n 1 | cut -d' ' -f1) web")]
#[saboteur("proxy-not-restarted", fails = "the page through the proxy after the restart",
    spares = "names::http_through_the_host_proxy" =>
    edit("/etc/systemd/system/lab-proxy.service", "/BindsTo=/d"),
    "rm /etc/systemd/system/systemd-nspawn@web.service.wants/lab-proxy.service
     systemctl daemon-reload")]
async fn name_follows_the_address(lab: &Lab) -> Outcome {
    let host = lab.host();
    // The same network would give the same address again: a name that stayed behind would not show.
    host.succeed(&format!(
        "{ANOTHER_NETWORK}\nsystemctl restart systemd-nspawn@web.service"
    ))
    .await?;
    let lease = another_lease(lab).await?;
    expect("the name after the restart")
        .eventually(lab.seconds(5), lease.to_string(), || async {
            let found = host.resolve_all("web").await?;
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

/// The address that `web` leases of [`ANOTHER_NETWORK`].
async fn another_lease(lab: &Lab) -> Result<Ipv4Addr, ScenarioError> {
    expect("a lease of the other network")
        .eventually(lab.seconds(10), "an address of 10.80.0.0/28", || async {
            Ok(match lab.host().container("web").lease().await? {
                Some(lease) if lease.octets()[..3] == [10, 80, 0] => Seen::Ready(lease),
                other => Seen::NotYet(format!("{other:?}")),
            })
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
async fn lease(lab: &Lab, container: &str) -> Result<Ipv4Addr, ScenarioError> {
    let guest = lab.host().container(container);
    expect("the lease").leased(&guest, lab.seconds(20)).await
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
