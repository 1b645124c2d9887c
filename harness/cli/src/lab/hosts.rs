//! Machines for a person: a fresh clone of a layer, those of a scenario, or those that were kept.

use camino::Utf8Path;
use spawnlab::{
    run::{
        config::RunConfig,
        open_lab::OpenLab,
        session::{Session, Start, cache},
    },
    scenario::{Base, Scenario},
    util::{error::Result, scratch},
    verdict::event::Events,
    vm::host::Host,
};

/// A clone of the layer `start`, which is made if it has to be; its evidence goes to `dir`.
///
/// # Errors
/// The layer can't be made or resumed.
pub(crate) async fn cloned(
    config: RunConfig,
    start: Start,
    dir: &Utf8Path,
    events: &Events,
) -> Result<Host> {
    let session = Session::open(config, &[start.base()], dir, events).await?;
    session.start(start)?.host(dir).await
}

/// The machines of `scenario` as they are before it begins; their evidence goes below `dir`.
///
/// # Errors
/// A layer can't be made, or a machine can't be started.
pub(crate) async fn joined(
    config: RunConfig,
    scenario: &Scenario,
    dir: &Utf8Path,
    events: &Events,
) -> Result<OpenLab> {
    let bases: Vec<Base> = scenario.machines.iter().map(|it| it.base).collect();
    let session = Session::open(config, &bases, dir, events).await?;
    OpenLab::cloned(&session, scenario, dir).await
}

/// What was kept for the scenario with this `evidence`; what it leaves itself goes to `dir`.
///
/// # Errors
/// Nothing is kept, or it can't be resumed.
pub(crate) async fn resumed(evidence: &Utf8Path, dir: &Utf8Path) -> Result<OpenLab> {
    scratch::sweep()?;
    OpenLab::resumed(cache()?.root(), evidence, dir).await
}
