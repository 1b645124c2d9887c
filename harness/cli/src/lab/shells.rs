//! A person's ways into machines: a shell on fresh clones, or on what was kept.

use camino::Utf8Path;
use spawnlab::{
    run::{config::RunConfig, open_lab::OpenLab},
    util::{error::Result, scratch::Scratch},
    verdict::event::Events,
    vm::{container::quote, terminal},
};

use crate::lab::hosts::{self, Cloned};

/// Attaches a shell on a fresh clone (or in `container` there) to this terminal, until the user leaves it: on the one
/// called `machine`, or the first. `ready` is called before the first byte goes to the terminal.
///
/// # Errors
/// The layer can't be made or resumed, or there is no such machine.
pub(crate) async fn shell(
    config: RunConfig,
    (what, machine): (Cloned<'_>, Option<&str>),
    container: Option<&str>,
    events: &Events,
    ready: impl FnOnce(),
) -> Result<()> {
    // Swept by a later run if this one is killed.
    let evidence = Scratch::new()?;
    let lab = hosts::cloned(config, what, evidence.path(), events).await?;
    ready();
    attached(lab, machine, container).await
}

/// As [`shell`], on what was kept for the scenario with this `evidence`.
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
    attached(lab, machine, container).await
}

async fn attached(lab: OpenLab, machine: Option<&str>, container: Option<&str>) -> Result<()> {
    let attached = match lab.machine(machine) {
        Ok(host) => terminal::attach(host, &command(container)).await,
        Err(error) => Err(error),
    };
    lab.end().await?;
    attached
}

/// What a person's terminal runs, in `container` or on the machine itself.
fn command(container: Option<&str>) -> String {
    match container {
        Some(name) => format!("machinectl --quiet shell {}", quote(name)),
        None => "bash -l || sh -l".to_owned(),
    }
}
