//! A person's ways into hosts: a shell on a clone of a layer, or on a host that was kept.

use camino::Utf8Path;
use spawnlab::{
    run::{config::RunConfig, session::Start},
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

/// As [`shell`], on the host that was kept for the scenario with this `evidence`.
///
/// # Errors
/// None is kept, or it can't be resumed.
pub(crate) async fn resume(
    evidence: &Utf8Path,
    container: Option<&str>,
    ready: impl FnOnce(),
) -> Result<()> {
    let scratch = Scratch::new()?;
    let host = hosts::resumed(evidence, scratch.path()).await?;
    ready();
    attached(host, container).await
}

async fn attached(host: Host, container: Option<&str>) -> Result<()> {
    let command = match container {
        Some(name) => format!("machinectl --quiet shell {}", quote(name)),
        None => "bash -l || sh -l".to_owned(),
    };
    let attached = terminal::attach(&host, &command).await;
    host.shut_down().await?;
    attached
}
