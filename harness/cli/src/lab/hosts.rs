//! Machines for a person: a fresh clone of a layer, those of a scenario, or those that were kept.

use camino::Utf8Path;
use spawnlab::{
    run::{
        config::RunConfig,
        open_lab::OpenLab,
        session::{Session, Start, cache},
    },
    scenario::Scenario,
    util::{error::Result, scratch},
    verdict::event::Events,
};

/// What fresh clones are of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cloned<'a> {
    /// One machine: this layer.
    Layer(Start),
    /// The machines of a scenario, as they are before it begins.
    Scenario(&'a Scenario),
}

/// Fresh clones of `what`; their evidence goes below `dir`.
///
/// # Errors
/// A layer can't be made, or a machine can't be started.
pub(crate) async fn cloned(
    config: RunConfig,
    what: Cloned<'_>,
    dir: &Utf8Path,
    events: &Events,
) -> Result<OpenLab> {
    match what {
        Cloned::Layer(start) => {
            let session = Session::open(config, &[start.base()], dir, events).await?;
            OpenLab::of_layer(session.start(start)?, dir).await
        }
        Cloned::Scenario(scenario) => {
            let session = Session::open(config, &scenario.bases(), dir, events).await?;
            OpenLab::cloned(&session, scenario, dir).await
        }
    }
}

/// What was kept for the scenario with this `evidence`; what it leaves itself goes to `dir`.
///
/// # Errors
/// Nothing is kept, or it can't be resumed.
pub(crate) async fn resumed(evidence: &Utf8Path, dir: &Utf8Path) -> Result<OpenLab> {
    scratch::sweep()?;
    OpenLab::resumed(cache()?.root(), evidence, dir).await
}
