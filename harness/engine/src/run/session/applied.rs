//! Hosts under a setting of the suite's: layers on top of a plain one, each with a start of the containers of
//! its own.

use std::{sync::Arc, time::Duration};

use crate::{
    layer::{recipe::LayerRecipe, saved::Layer, stack::Stack},
    run::{attempt, variable::Setting},
    scenario::{Base, ready::wait_ready_or_refused},
    util::{digest, error::Error},
    verdict::{Outcome, ScenarioError},
    vm::host::Host,
};

/// Longest time for all containers to stop and start again, stated for a machine with KVM.
const RESTART: Duration = Duration::from_secs(180);

/// A layer on top of `plain` with `setting` applied, and `containers` started anew: what they leased before
/// would hide what the setting does to them.
///
/// `start` counts those that are to be told apart: whether a guest gets its lease is decided when it
/// starts, once for all clones of one layer.
pub(super) async fn applied(
    setting: &Arc<dyn Setting>,
    stack: &Stack,
    base: Base,
    (plain, start): (&Arc<Layer>, u32),
    containers: &[&str],
) -> Result<Arc<Layer>, ScenarioError> {
    let containers: Vec<String> = containers.iter().map(|name| (*name).to_owned()).collect();
    let restart = start_anew(&containers);
    let mut name = format!("{}-{}", base.name(), setting.name());
    let mut made_of = vec![
        (setting.variable().to_owned(), setting.name()),
        ("content".into(), digest::of([setting.content().as_bytes()])),
        ("start".into(), digest::of([restart.as_bytes()])),
    ];
    if start > 1 {
        name = format!("{name}-{start}");
        made_of.push(("number".into(), start.to_string()));
    }
    let setting = Arc::clone(setting);
    let recipe = LayerRecipe {
        name,
        made_of,
        built_with: vec![],
        lab: None,
        work: Arc::new(move |host: Arc<Host>| {
            let (setting, containers) = (Arc::clone(&setting), containers.clone());
            Box::pin(async move {
                let outcome = put_under(setting, &host, base, containers).await;
                attempt::explain(&[&*host], outcome).await
            })
        }),
    };
    stack.child(plain, recipe).await
}

/// Starts the containers anew, on a host that remembers none of the leases it gave: evidence that
/// still showed them would speak of the time before the setting.
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

async fn put_under(
    setting: Arc<dyn Setting>,
    host: &Arc<Host>,
    base: Base,
    containers: Vec<String>,
) -> Outcome {
    Arc::clone(&setting).apply(Arc::clone(host)).await?;
    if base != Base::Deployed {
        return Ok(());
    }
    let output = host
        .execute_with(&start_anew(&containers), b"", RESTART)
        .await?;
    // No setting keeps a container from starting: this says nothing of it.
    if !output.status.success() {
        return Err(ScenarioError::Infrastructure(Error::Layer {
            name: format!("{}-{}", base.name(), setting.name()),
            why: format!(
                "the containers could not be started anew ({}): {}{}",
                output.status, output.stdout, output.stderr
            ),
        }));
    }
    let names: Vec<&str> = containers.iter().map(String::as_str).collect();
    wait_ready_or_refused(host, &names, setting.ready_assertion(), || {
        Arc::clone(&setting).refused(Arc::clone(host))
    })
    .await
}
