//! Hosts for a person: a fresh clone of a layer, or one that was kept.

use camino::Utf8Path;
use spawnlab::{
    layer::kept::Kept,
    run::{
        config::RunConfig,
        session::{Session, Start, cache},
    },
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

/// The host that was kept for the scenario with this `evidence`; what it leaves itself goes to `dir`.
///
/// # Errors
/// None is kept, or it can't be resumed.
pub(crate) async fn resumed(evidence: &Utf8Path, dir: &Utf8Path) -> Result<Host> {
    scratch::sweep()?;
    let kept = Kept::open(cache()?.root(), evidence)?;
    kept.host(dir).await
}
