//! Making a guest ask for a lease, and what the host's DHCP server knows of it.

use spawnlab::prelude::*;

/// Takes the link away from the guest of `web` at the host's end, and waits until the guest has given up its lease.
///
/// Not at the guest's end: what its networkd configures at that moment fails on a link that is down, and networkd
/// brings up again what it failed to configure.
async fn unplug(host: &Host) -> Result<()> {
    // The commands' own deadlines end what never comes.
    host.succeed(
        "until ip link set ve-web down && networkctl status ve-web | grep -q 'State: off'; do sleep 0.1; done",
    )
    .await?;
    host.container("web")
        .succeed(
            "while status=$(networkctl --json=short status host0) || exit
               case $status in *'\"ConfigSource\":\"DHCPv4\"'*) ;; *) false ;; esac
             do sleep 0.1; done",
        )
        .await?;
    Ok(())
}

/// Makes the guest of `web` ask for a lease that the host no longer knows of, as a new one would,
/// without a restart of the container.
///
/// # Errors
/// When host or guest can't.
pub async fn ask_again(host: &Host) -> Result<()> {
    // With a carrier, networkd would go on leasing addresses of the network that ve-web leaves.
    unplug(host).await?;
    host.succeed(
        "set -e
         rm -f /var/lib/systemd/network/dhcp-server-lease/ve-web /run/systemd/netif/dhcp-server-lease/ve-web
         networkctl reconfigure ve-web
         ip link set ve-web up",
    )
    .await?;
    Ok(())
}

/// Gives `ve-web` a network of other addresses, which networkd sees when the link comes up next.
pub const ANOTHER_NETWORK: &str = "set -e; mkdir -p /run/systemd/network
    printf '%s\\n' '[Match]' Name=ve-web '[Network]' Address=10.80.0.1/28 DHCPServer=yes IPMasquerade=both \
        > /run/systemd/network/70-other.network
    networkctl reload";

/// Moves the guest of `web` to [`ANOTHER_NETWORK`], without a restart of the container.
///
/// # Errors
/// When host or guest can't.
pub async fn ask_from_another_network(host: &Host) -> Result<()> {
    unplug(host).await?;
    host.succeed(ANOTHER_NETWORK).await?;
    host.succeed("ip link set ve-web up").await?;
    Ok(())
}

/// How many leases the host's DHCP server has given on `ve-web`.
///
/// # Errors
/// When the host can't be asked.
pub async fn leases(host: &Host) -> Result<u64> {
    let script = "networkctl --json=short status ve-web | jq '.DHCPServer.Leases // [] | length'";
    number(host, script).await
}

/// Asserts that the host's DHCP server has given one lease on `ve-web`, as `the leases given`.
///
/// # Errors
/// A failure of the assertion, with all that networkd says of its server.
pub async fn one_lease(host: &Host) -> Outcome {
    let given = leases(host).await?;
    if given == 1 {
        return Ok(());
    }
    let server = host
        .succeed("networkctl --json=short status ve-web | jq -c '[.OperationalState, .Addresses, .DHCPServer]'")
        .await?;
    expect("the leases given").that(false, "1", format_args!("{given}: {}", server.trim()))
}

/// Waits until the guest of `web` holds a lease of the host's, and the link is routable on both ends.
///
/// # Errors
/// A failure of the assertion `the lease`, with both ends as they were seen last.
pub async fn leased(lab: &Lab) -> Outcome {
    let host = lab.host();
    let web = host.container("web");
    expect("the lease")
        .eventually(
            lab.seconds(10),
            "leased by the host, routable on both ends",
            || async {
                let (ours, theirs) = (host.link("web").await?, web.link().await?);
                let given = theirs.leased().zip(ours.subnet());
                let from_here = given.is_some_and(|(lease, subnet)| subnet.contains(lease));
                let routable = [&ours, &theirs].map(|link| link.operational_state == "routable");
                Ok(if from_here && routable == [true, true] {
                    Seen::Ready(())
                } else {
                    Seen::NotYet(format!("{}; {}", ours.summary(), theirs.summary()))
                })
            },
        )
        .await
}

/// Has the guest of `web` renew its lease, and waits until the host's server has prolonged it.
///
/// # Errors
/// A failure of the assertion `the renewed lease`.
pub async fn renewed(lab: &Lab) -> Outcome {
    const END: &str =
        "networkctl --json=short status ve-web | jq '[.DHCPServer.Leases[].ExpirationUSec] | max'";
    let host = lab.host();
    let before = number(host, END).await?;
    host.container("web")
        .succeed("networkctl renew host0")
        .await?;
    expect("the renewed lease")
        .eventually(
            lab.seconds(10),
            format!("one that ends after {before} us"),
            || async {
                let end = number(host, END).await?;
                Ok(if end > before {
                    Seen::Ready(())
                } else {
                    Seen::NotYet(format!("{end} us"))
                })
            },
        )
        .await
}

async fn number(host: &Host, script: &str) -> Result<u64> {
    let text = host.succeed(script).await?;
    text.trim()
        .parse()
        .map_err(|_| Error::answer("what networkd knows of its leases", text))
}
