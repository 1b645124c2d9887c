//! Deploys that cross a network: from a laptop, which has the flake, a store and a key of its own, to a host.

use std::time::Duration;

use spawnlab::prelude::*;

use super::deploy::REFUSE_COPIES;
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

/// Has the host hold each copy at its beginning until `/run/go` is there, and say by `/run/copying` that it does.
const HOLD_COPIES: &str = r#"cat >/root/hold <<'END'
#!/bin/sh
case $SSH_ORIGINAL_COMMAND in *nix-daemon*)
    touch /run/copying
    until [ -e /run/go ]; do sleep 0.1; done
esac
exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"
END
chmod 755 /root/hold
sed -i 's,^,command="/root/hold" ,' /root/.ssh/authorized_keys"#;

/// A network that is cut while a deploy copies ends it in an error. Once it is whole again, the next deploy succeeds,
/// and nobody has to clean up before.
#[scenario(machines(laptop = Host, host = Host), limit = 300)]
#[saboteur("locked-out-afterwards", fails = "the next deploy", on = "host",
    spares = "remote::first_deploy_from_a_laptop" =>
    "systemd-run --quiet --unit=sabotage -E PATH sh -c '
        until [ -e /run/copying ]; do sleep 0.1; done
        mv /root/.ssh/authorized_keys /root/.ssh/away'")]
async fn cut_while_copying_needs_no_cleaning_up(lab: &Lab) -> Outcome {
    let (laptop, host) = (lab.machine("laptop"), lab.machine("host"));
    host.succeed(HOLD_COPIES).await?;
    let deploy = || Deploy::of("bare").from(laptop).to(host);
    let (cut_short, held) = tokio::join!(lab.deploy(deploy()), async {
        host.wait_until_succeeds("test -e /run/copying", Duration::from_secs(60))
            .await?;
        lab.network().cut("host", Direction::Both)?;
        host.succeed("touch /run/go").await
    });
    held?;
    expect("the deploy that was cut").refused(cut_short?)?;
    let (_, deployed) = profile(host, "bare").await?;
    expect("what was deployed").equal(deployed.as_str(), "")?;
    lab.network().heal("host")?;
    expect("the next deploy").succeeded(lab.deploy(deploy()).await?)?;
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
    outside
        .succeed(&format!(
            "nft -f - <<END
             table ip seen {{
               counter host {{ }}
               counter others {{ }}
               chain input {{
                 type filter hook input priority 0;
                 icmp type echo-request ip saddr {ours} counter name host
                 icmp type echo-request ip saddr != {ours} counter name others
               }}
             }}
END"
        ))
        .await?;
    let ping = format!("ping -n -c 1 -W 10 {theirs}");
    let answer = host.container("web").execute(&ping).await?;
    expect("the answer from another machine").succeeded(answer)?;
    let seen = "nft -j list counters table ip seen |
        jq -r '[.nftables[].counter | select(.) | \"\\(.name) \\(.packets)\"] | sort | join(\", \")'";
    let seen = outside.succeed(seen).await?;
    expect("whom the other machine saw").equal(seen.trim(), "host 1, others 0")
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
