//! Hosts under a firewall: layers on top of the deployed one, each with a start of the containers of
//! its own.

use std::{sync::Arc, time::Duration};

use spawnlab::{
    Error,
    layer::{recipe::Recipe, saved::Layer, stack::Stack},
    prelude::{Broken, Outcome},
    run::trial,
    scenario::{Base, subject::Subject},
    util::digest,
    vm::host::Host,
};

use crate::{firewall::Firewall, settle};

/// A layer on top of `plain` with the rules of `firewall` loaded, and its containers started anew:
/// what they leased before would hide what the rules do to them.
///
/// `start` counts those that are to be told apart: whether a guest gets its lease is decided when it
/// starts, once for all clones of one layer.
pub(crate) async fn under(
    firewall: Firewall,
    stack: &Stack,
    base: Base,
    (plain, start): (&Arc<Layer>, u32),
    subject: &Subject,
) -> Result<Arc<Layer>, Broken> {
    let containers: Vec<String> = subject
        .containers()
        .into_iter()
        .map(str::to_owned)
        .collect();
    let restart = start_anew(&containers);
    let mut name = format!("{}-{}", base.name(), firewall.name());
    let mut made_of = vec![
        ("firewall".into(), firewall.name()),
        ("rules".into(), digest::of([firewall.rules().as_bytes()])),
        ("start".into(), digest::of([restart.as_bytes()])),
    ];
    if start > 1 {
        name = format!("{name}-{start}");
        made_of.push(("number".into(), start.to_string()));
    }
    let recipe = Recipe {
        name,
        made_of,
        built_with: vec![],
        lab: None,
        work: Arc::new(move |host: Arc<Host>| {
            let containers = containers.clone();
            Box::pin(async move {
                let outcome = put_under(firewall, &host, base, &containers).await;
                if outcome.is_err() {
                    return trial::explain(&host, outcome).await;
                }
                outcome
            })
        }),
    };
    stack.child(plain, recipe).await
}

/// Starts the containers anew, on a host that remembers none of the leases it gave: evidence that
/// still showed them would speak of the time before the rules.
fn start_anew(containers: &[String]) -> String {
    let unit = |container: &String| format!("systemd-nspawn@{container}.service");
    let units: Vec<String> = containers.iter().map(unit).collect();
    let units = units.join(" ");
    format!(
        "set -e; systemctl stop {units}
         rm -f /var/lib/systemd/network/dhcp-server-lease/ve-* /run/systemd/netif/dhcp-server-lease/ve-*
         systemctl start {units}"
    )
}

async fn put_under(firewall: Firewall, host: &Host, base: Base, containers: &[String]) -> Outcome {
    firewall.load(host).await?;
    if base != Base::Deployed {
        return Ok(());
    }
    let output = host
        .execute_with(&start_anew(containers), b"", Duration::from_secs(180))
        .await?;
    // No rule keeps a container from starting: this says nothing of the firewall.
    if !output.status.success() {
        return Err(Broken::Infrastructure(Error::Layer {
            name: format!("{}-{}", base.name(), firewall.name()),
            why: format!(
                "the containers could not be started anew ({}): {}{}",
                output.status, output.stdout, output.stderr
            ),
        }));
    }
    let containers: Vec<&str> = containers.iter().map(String::as_str).collect();
    settle::under(firewall, host, &containers).await
}
