//! Deploys that cross a network: from a laptop, which has the flake, a store and a key of its own, to a host.

mod cut;
mod router;

use std::{net::Ipv6Addr, time::Duration};

use spawnlab::{prelude::*, scenario::ready::RESTART};

use super::{
    deploy::REFUSE_COPIES,
    ports::{DROP_PAGES, FORWARD},
};
use crate::{
    firewall::Firewall,
    generation::{guest, page, profile, runs_its_profile},
    packet_counters::PacketCounters,
};

/// The host keeps nothing of what deploys: what it runs afterwards came over the network.
const NO_FLAKE: &str = "rm -rf /home/deployer";

/// A first deploy from a laptop brings the container to a host that has no flake, and starts it.
#[scenario(machines(laptop = Host, host = Host), limit = 120)]
#[saboteur("copy-refused", fails = "the first deploy", on = "host",
    spares = "deploy::undeclared_container_is_refused_before_copying" => REFUSE_COPIES)]
#[saboteur("cut-off", fails = "the first deploy", on = "host", spares = "names::http_by_name" => cut())]
async fn first_deploy_from_a_laptop(lab: &Lab) -> Outcome {
    let (laptop, host) = (lab.machine("laptop"), lab.machine("host"));
    host.succeed(NO_FLAKE).await?;
    let deploy = Deploy::of("bare").from(laptop).to(host);
    expect("the first deploy").succeeded(lab.deploy(deploy).await?)?;
    runs_its_profile(host, "bare").await?;
    let (_, at_home) = profile(laptop, "bare").await?;
    expect("what the laptop runs itself").equal(at_home.as_str(), "")
}

/// A second deploy from a laptop switches the running container on the host, without a restart.
#[scenario(machines(laptop = Host, host = Deployed), limit = 120)]
#[saboteur("copy-refused", fails = "the second deploy", on = "host", spares = "names::http_by_name" =>
    REFUSE_COPIES)]
#[saboteur("reload-restarts-the-container", fails = "the boot id", on = "host",
    spares = "names::name_is_the_leased_address" =>
    drop_in("systemd-nspawn@web.service",
        "[Service]\nExecReload=/bin/sh -c 'systemctl --no-block restart systemd-nspawn@%i.service'"))]
async fn second_deploy_from_a_laptop(lab: &Lab) -> Outcome {
    let (laptop, host) = (lab.machine("laptop"), lab.machine("host"));
    host.succeed(NO_FLAKE).await?;
    let before = guest(&host.container("web")).await?;
    let deploy = Deploy::of("web-v2").into("web").from(laptop).to(host);
    expect("the second deploy").succeeded(lab.deploy(deploy).await?)?;
    let after = guest(&host.container("web")).await?;
    expect("the boot id").equal(&after.boot_id, &before.boot_id)?;
    let page = expect("the new page").succeeded(page(host, "web").await?)?;
    expect("the new page").equal(page.trim(), "web version 2")
}

/// A deploy goes to a host that is named by its IPv6 address.
#[scenario(machines(laptop = Host, host = Host), limit = 120)]
#[saboteur("no-ssh-by-ipv6", fails = "the deploy to an IPv6 address", on = "host",
    spares = "remote::first_deploy_from_a_laptop" =>
    "nft -f - <<END
     table ip6 sabotage {
       chain input {
         type filter hook input priority 0;
         tcp dport 22 reject with tcp reset
       }
     }
END")]
async fn deploy_goes_to_an_ipv6_address(lab: &Lab) -> Outcome {
    let (laptop, host) = (lab.machine("laptop"), lab.machine("host"));
    let target = format!("root@{}", host.identity().ipv6);
    let deploy = Deploy::of("bare").from(laptop).to(&target);
    expect("the deploy to an IPv6 address").succeeded(lab.deploy(deploy).await?)?;
    runs_its_profile(host, "bare").await
}

/// A member of the group that may deploy one container does so from a laptop, and may not deploy another.
#[scenario(machines(laptop = Host, host = Host), limit = 120)]
#[saboteur("no-longer-a-member", fails = "the deploy of a member", on = "host",
    spares = "deploy::first_deploy_starts_the_container" =>
    "sed -i '/^deployers:/s/teamdev//' /etc/group")]
async fn member_of_the_group_deploys_from_a_laptop(lab: &Lab) -> Outcome {
    let (laptop, host) = (lab.machine("laptop"), lab.machine("host"));
    let as_member = |container| {
        let deploy = Deploy::of("bare").into(container).from(laptop);
        deploy.to("teamdev@host")
    };
    expect("the deploy of a member").succeeded(lab.deploy(as_member("team")).await?)?;
    runs_its_profile(host, "team").await?;
    expect("the deploy of another container").refused(lab.deploy(as_member("prod")).await?)?;
    let (_, refused) = profile(host, "prod").await?;
    expect("what the other container got").equal(refused.as_str(), "")
}

/// Keeps `bare` from starting until `/run/go` is there, and says by `/run/held` that it does.
const HOLD_START: &str = "mkdir -p /run/systemd/system/systemd-nspawn@bare.service.d
    cat >/run/systemd/system/systemd-nspawn@bare.service.d/hold.conf <<'END'
[Service]
ExecStartPre=/bin/sh -c 'touch /run/held; until [ -e /run/go ]; do sleep 0.1; done'
END
    systemctl daemon-reload";

/// While a laptop deploys a container, another laptop deploys another one to the same host from a repository of its own, and
/// is refused the same one, with the words whose deploy is under way.
#[scenario(machines(laptop = Host, other = Host, host = Host), limit = 240, needs = [OneAtATime])]
#[saboteur("another-one-locked", fails = "the deploy of another container", on = "host",
    spares = "remote::first_deploy_from_a_laptop" =>
    "systemd-run --quiet flock /nix/var/nix/profiles/per-container/prod sleep infinity")]
#[saboteur("locks-nothing", fails = "the deploy of the same container", on = "host",
    spares = "remote::first_deploy_from_a_laptop" =>
    shim("flock", "exit 0"))]
async fn two_laptops_deploy_to_one_host_at_once(lab: &Lab) -> Outcome {
    let [laptop, other, host] = ["laptop", "other", "host"].map(|name| lab.machine(name));
    host.succeed(HOLD_START).await?;
    let bare = |from| Deploy::of("bare").from(from).to(host);
    let (first, meanwhile) = tokio::join!(lab.deploy(bare(laptop)), async {
        host.wait_until_succeeds("test -e /run/held", Duration::from_secs(90))
            .await?;
        let another = lab.deploy(bare(other).into("prod")).await?;
        let same = bare(other).flag("--activate-timeout=20s");
        let same = lab.deploy(same).await?;
        host.succeed("touch /run/go").await?;
        Ok::<_, Error>((another, same))
    });
    let (another, same) = meanwhile?;
    expect("the deploy of another container").succeeded(another)?;
    let said = expect("the deploy of the same container").refused(same)?;
    let told = said.contains("under way: deployer@laptop, process ");
    expect("the deploy of the same container").that(
        told,
        "refused for the one of deployer@laptop",
        said,
    )?;
    expect("the first deploy").succeeded(first?)?;
    runs_its_profile(host, "bare").await?;
    runs_its_profile(host, "prod").await
}

/// A deploy goes through a jump host, where the container's host lets nobody else in.
#[scenario(machines(laptop = Host, jump = Host, host = Host), limit = 120)]
#[saboteur("jump-host-shut-out", fails = "the deploy through a jump host", on = "host",
    spares = "names::http_by_name" =>
    "nft -f - <<END
     table inet sabotage {
       chain input {
         type filter hook input priority 0;
         ip saddr 198.51.100.2 tcp dport 22 reject with tcp reset
         ip6 saddr 2001:db8:89::2 tcp dport 22 reject with tcp reset
       }
     }
END")]
async fn deploy_goes_through_a_jump_host(lab: &Lab) -> Outcome {
    let [laptop, jump, host] = ["laptop", "jump", "host"].map(|name| lab.machine(name));
    let (ipv4, ipv6) = (jump.identity().ipv4, jump.identity().ipv6);
    host.succeed(&format!(
        "nft -f - <<END
         table inet only_jump {{
           chain input {{
             type filter hook input priority 0;
             ip saddr != {ipv4} tcp dport 22 reject with tcp reset
             ip6 saddr != {ipv6} tcp dport 22 reject with tcp reset
           }}
         }}
END"
    ))
    .await?;
    let deploy = || Deploy::of("bare").from(laptop).to(host);
    let straight = lab.deploy(deploy()).await?;
    expect("the deploy without the jump host").refused(straight)?;
    laptop
        .succeed("printf 'Host host\n    ProxyJump root@jump\n' >>/home/deployer/.ssh/config")
        .await?;
    expect("the deploy through a jump host").succeeded(lab.deploy(deploy()).await?)?;
    runs_its_profile(host, "bare").await
}

/// A container of two hosts that is stopped on one of them is served by the other.
#[scenario(machines(outside = Host, host = Deployed, former = Deployed))]
#[saboteur("proxy-stopped", fails = "the page of the other host", on = "host", spares = "names::http_by_name" =>
    stop_unit("lab-proxy.service"))]
async fn container_taken_off_one_host_is_served_by_another(lab: &Lab) -> Outcome {
    let (outside, former) = (lab.machine("outside"), lab.machine("former"));
    let page = async |host: &str| {
        let url = format!("curl -fsS -m 30 http://{host}:8080/");
        outside.execute(&url).await
    };
    let before =
        expect("the page of the host that has it, too").succeeded(page("former").await?)?;
    expect("the page of the host that has it, too").equal(before.trim(), "web version 1")?;
    // What declares it stays, since NixOS keeps that in the store, where nothing can be taken away.
    former
        .succeed("systemctl stop systemd-nspawn@web.service")
        .await?;
    expect("the page of the host that it is stopped on").refused(page("former").await?)?;
    let other = expect("the page of the other host").succeeded(page("host").await?)?;
    expect("the page of the other host").equal(other.trim(), "web version 1")
}

/// A network that loses one frame in twenty, takes 200 ms for a round trip and carries 512 kbit/s makes a deploy slow,
/// and nothing else.
#[scenario(machines(laptop = Host, host = Host), limit = 240)]
#[saboteur("cut-off", fails = "the deploy over a bad network", on = "host", spares = "names::http_by_name" => cut())]
async fn bad_network_makes_a_deploy_slow_only(lab: &Lab) -> Outcome {
    let (laptop, host) = (lab.machine("laptop"), lab.machine("host"));
    let bad = Impairment {
        loss: 0.05,
        delay: Duration::from_millis(100),
        rate: Some(512_000 / 8),
        ..Impairment::default()
    };
    lab.network().impair("laptop", Direction::Both, bad)?;
    let deploy = Deploy::of("bare").from(laptop).to(host);
    expect("the deploy over a bad network").succeeded(lab.deploy(deploy).await?)?;
    let statistics = lab.network().statistics();
    let lost = statistics
        .get("laptop")
        .map(|port| port.in_.lost + port.out.lost);
    expect("the frames that were lost").that(lost > Some(0), "some", format!("{lost:?}"))?;
    runs_its_profile(host, "bare").await
}

/// Another machine reaches a container through the proxy of its host, by the host's name.
#[scenario(machines(outside = Host, host = Deployed))]
#[saboteur("proxy-stopped", fails = "the page through the proxy", on = "host", spares = "names::http_by_name" =>
    stop_unit("lab-proxy.service"))]
#[saboteur("cut-off", fails = "the page through the proxy", on = "host", spares = "names::http_by_name" => cut())]
async fn proxy_serves_another_machine(lab: &Lab) -> Outcome {
    let outside = lab.machine("outside");
    let page = outside.execute("curl -fsS -m 30 http://host:8080/").await?;
    let page = expect("the page through the proxy").succeeded(page)?;
    expect("the page through the proxy").equal(page.trim(), "web version 1")
}

/// A container reaches another machine, which sees the address of the host.
#[scenario(machines(outside = Host, host = Deployed))]
#[saboteur("masquerade-removed", fails = "the answer from another machine", on = "host",
    spares = "names::http_by_name" => "nft delete table ip io.systemd.nat")]
#[saboteur("forwarding-off", fails = "the answer from another machine", on = "host",
    spares = "names::http_by_name" => "sysctl -q net.ipv4.conf.ve-web.forwarding=0")]
async fn container_reaches_another_machine(lab: &Lab) -> Outcome {
    let (outside, host) = (lab.machine("outside"), lab.machine("host"));
    let (theirs, ours) = (outside.identity().ipv4, host.identity().ipv4);
    seen_as_the_host(lab, ("ip", "icmp"), &theirs.to_string(), &ours.to_string()).await
}

/// Asserts that a ping from `web` to the other machine's address `theirs` is answered, and that it comes there from `ours`,
/// the host's. `words` are nft's of the address and of the ping.
async fn seen_as_the_host(
    lab: &Lab,
    (address, ping): (&str, &str),
    theirs: &str,
    ours: &str,
) -> Outcome {
    let (outside, host) = (lab.machine("outside"), lab.machine("host"));
    outside
        .succeed(&format!(
            "nft -f - <<END
             table {address} seen {{
               counter host {{ }}
               counter others {{ }}
               chain input {{
                 type filter hook input priority 0;
                 {ping} type echo-request {address} saddr {ours} counter name host
                 {ping} type echo-request {address} saddr != {ours} counter name others
               }}
             }}
END"
        ))
        .await?;
    let ping = format!("ping -n -c 1 -W 10 {theirs}");
    let answer = host.container("web").execute(&ping).await?;
    expect("the answer from another machine").succeeded(answer)?;
    let seen = format!(
        "nft -j list counters table {address} seen |
        jq -r '[.nftables[].counter | select(.) | \"\\(.name) \\(.packets)\"] | sort | join(\", \")'"
    );
    let seen = outside.succeed(&seen).await?;
    expect("whom the other machine saw").equal(seen.trim(), "host 1, others 0")
}

/// Gives the link of each container an IPv6 network of its own, which networkd chooses, from their next start on.
const IPV6_LINK: &str =
    "set -e; folder=/run/systemd/network/80-container-ve.network.d; mkdir -p $folder
    printf '[Network]\\nAddress=::/64\\n' > $folder/10-address.conf; networkctl reload";

/// The host's global IPv6 address on the link of `web`.
const HOSTS_IPV6: &str = "ip -j -6 address show dev ve-web scope global | jq -r '.[].addr_info[] | select(.local) | .local'";

/// Another machine reaches a container by a port of its host that is the container's, and the container reaches that machine
/// by IPv6, which sees the address of the host.
#[scenario(machines(outside = Host, host = Deployed), limit = 150)]
#[saboteur("pages-dropped", fails = "the page by the host's port", on = "host", spares = "names::http_by_name" =>
    DROP_PAGES)]
#[saboteur("ipv6-dropped", fails = "the answer from another machine", on = "host", spares = "names::http_by_name" =>
    "nft add table ip6 sabotage
     nft 'add chain ip6 sabotage forward { type filter hook forward priority 0; }'
     nft 'add rule ip6 sabotage forward icmpv6 type echo-request drop'")]
async fn another_machine_is_reached_by_ipv6_and_reaches_a_port(lab: &Lab) -> Outcome {
    let (outside, host) = (lab.machine("outside"), lab.machine("host"));
    host.succeed(IPV6_LINK).await?;
    let restarted = host.execute_within(FORWARD, RESTART).await?;
    expect("the restart with the port").succeeded(restarted)?;
    let fetch = "curl -fsS --connect-timeout 3 -m 10 http://host:8088/";
    expect("the page by the host's port")
        .eventually(lab.seconds(15), "web version 1", || async {
            let page = outside.execute(fetch).await?;
            Ok(match page.stdout.trim() {
                "web version 1" => Seen::Ready(()),
                _ => Seen::NotYet(format!("{} {}", page.status, page.stderr.trim())),
            })
        })
        .await?;
    // The guest gets none from the host's networkd of today (networking::unique_local_address_comes_with_the_hosts).
    let chosen = host.succeed(HOSTS_IPV6).await?;
    let chosen = chosen.trim();
    let Ok(hosts) = chosen.parse::<Ipv6Addr>() else {
        return expect("the link's IPv6 network").that(false, "one address", chosen);
    };
    let guests = Ipv6Addr::from_bits(hosts.to_bits() ^ 0xff);
    let address = format!("ip address add {guests}/64 dev host0 nodad");
    let web = host.container("web");
    web.succeed(&address).await?;
    // The host's router advertisement brings it, some time after the lease.
    let has_route = "test -n \"$(ip -6 route show default)\"";
    web.wait_until_succeeds(has_route, lab.seconds(30)).await?;
    let (theirs, ours) = (outside.identity().ipv6, host.identity().ipv6);
    seen_as_the_host(
        lab,
        ("ip6", "icmpv6"),
        &theirs.to_string(),
        &ours.to_string(),
    )
    .await
}

/// Name of a machine's network card.
async fn card(machine: &Host) -> Result<String> {
    let find = "basename /sys/bus/virtio/drivers/virtio_net/virtio*/net/*";
    Ok(machine.succeed(find).await?.trim().to_owned())
}

/// A host under NixOS' rules{| with the rule of nixpkgs' change 498177 (<https://github.com/NixOS/nixpkgs/pull/498177>)}
/// refuses requests for a lease that come from another machine.
#[scenario(machines(outside = Host, host = Deployed), brings = ["firewall"], cases(nixos, nixpkgs_498177))]
#[saboteur("port-opened-by-hand", fails = "the requests that got past the filters", on = "host",
    spares = "names::http_by_name" =>
    file("/etc/lab/firewall/extra.iptables", "46 -A nixos-fw -p udp --dport 67 -j nixos-fw-accept"))]
async fn refuses_a_lease_to_another_machine(lab: &Lab, variant: &str) -> Outcome {
    let (outside, host) = (lab.machine("outside"), lab.machine("host"));
    Firewall::written(&variant.replace('_', "-"))
        .load(host)
        .await?;
    let kinds = [("dhcp", "udp dport 67")];
    let counters = PacketCounters::put(host, &card(host).await?, &kinds).await?;
    let card = card(outside).await?;
    let ask = format!("busybox udhcpc -i {card} -n -q -f -t 1 -T 1 -s true >/dev/null 2>&1");
    let past = counters
        .let_through(|| async { outside.execute(&ask).await.map(drop) })
        .await?;
    expect("the requests that got past the filters").equal(past, Vec::<String>::new())
}

/// Answers in the host's network for the containers' addresses, and forwards what comes for them.
const ANSWER_FOR_CONTAINERS: Change = script(
    "sysctl -q net.ipv4.ip_forward=1
    for proxy in /proc/sys/net/ipv4/conf/*/proxy_arp; do echo 1 >$proxy; done",
);

/// Another machine does not reach a container directly: it does not know the name, and nobody in the host's network answers
/// for the address.
#[scenario(machines(outside = Host, host = Deployed))]
#[saboteur("name-is-known", fails = "the container's name on another machine", on = "outside",
    spares = "remote::proxy_serves_another_machine" => "/lab/tools/name-in-hosts 192.0.2.9 web")]
#[saboteur("host-answers-for-containers", fails = "the page by the container's address", on = "host",
    spares = "names::http_by_name" => ANSWER_FOR_CONTAINERS)]
async fn container_is_not_reached_directly(lab: &Lab) -> Outcome {
    let (outside, host) = (lab.machine("outside"), lab.machine("host"));
    let name = outside.execute("getent ahosts web").await?;
    expect("the container's name on another machine").refused(name)?;
    let web = host.container("web");
    let address = expect("the lease").leased(&web, lab.seconds(20)).await?;
    let fetch = format!("curl -fsS --connect-timeout 5 -m 10 http://{address}/");
    expect("the page on the host").succeeded(host.execute(&fetch).await?)?;
    // As if the container were in the same network: its address is asked for there.
    let route = format!("ip route add {address}/32 dev {}", card(outside).await?);
    outside.succeed(&route).await?;
    let page = outside.execute(&fetch).await?;
    expect("the page by the container's address").refused(page)?;
    Ok(())
}
