//! A person's ways into machines: a shell on a clone of a layer, in the lab of a scenario, or on what was kept.

use camino::Utf8Path;
use spawnlab::{
    run::{config::RunConfig, open_lab::OpenLab, session::Start},
    scenario::Scenario,
    util::{error::Result, scratch::Scratch},
    verdict::event::Events,
    vm::{container::quote, host::Host, terminal},
};

use crate::lab::hosts;

/// Attaches a shell on a clone of the layer `start` (or in `container` there) to this terminal, until the user
/// leaves it. `ready` is called before the first byte goes to the terminal.
///
/// # Errors
/// The layer can't be made or resumed.
pub(crate) async fn shell(
    config: RunConfig,
    start: Start,
    container: Option<&str>,
    events: &Events,
    ready: impl FnOnce(),
) -> Result<()> {
    // Swept by a later run if this one is killed.
    let evidence = Scratch::new()?;
    let host = hosts::cloned(config, start, evidence.path(), events).await?;
    ready();
    attached(host, container).await
}

/// As [`shell`], on a machine of the lab of `scenario` as it is before it begins: the one called `machine`, or the first.
///
/// # Errors
/// As [`shell`], and when there is no such machine.
pub(crate) async fn shell_in_lab(
    config: RunConfig,
    (scenario, machine): (&Scenario, Option<&str>),
    container: Option<&str>,
    events: &Events,
    ready: impl FnOnce(),
) -> Result<()> {
    let evidence = Scratch::new()?;
    let lab = hosts::joined(config, scenario, evidence.path(), events).await?;
    ready();
    attached_in(lab, machine, container).await
}

/// As [`shell`], on what was kept for the scenario with this `evidence`: its machine `machine`, or the first.
///
/// # Errors
/// Nothing is kept, it can't be resumed, or it has no such machine.
pub(crate) async fn resume(
    evidence: &Utf8Path,
    machine: Option<&str>,
    container: Option<&str>,
) -> Result<()> {
    let scratch = Scratch::new()?;
    let lab = hosts::resumed(evidence, scratch.path()).await?;
    attached_in(lab, machine, container).await
}

async fn attached_in(lab: OpenLab, machine: Option<&str>, container: Option<&str>) -> Result<()> {
    let attached = match lab.machine(machine) {
        Ok(host) => terminal::attach(host, &command(container)).await,
        Err(error) => Err(error),
    };
    lab.end().await;
    attached
}

async fn attached(host: Host, container: Option<&str>) -> Result<()> {
    let attached = terminal::attach(&host, &command(container)).await;
    host.shut_down().await?;
    attached
}

/// What a person's terminal runs, in `container` or on the machine itself.
fn command(container: Option<&str>) -> String {
    match container {
        Some(name) => format!("machinectl --quiet shell {}", quote(name)),
        None => "bash -l || sh -l".to_owned(),
    }
}
