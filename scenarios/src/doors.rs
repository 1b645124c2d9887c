//! A person's ways into hosts: a shell on a clone of a layer, or on a host that was kept.

use camino::Utf8Path;
use spawnlab::{
    layer::kept::Kept,
    run::stage::Stage,
    scenario::Base,
    util::{
        error::{Error, Result},
        scratch::{self, Scratch},
    },
    verdict::{Verdict, event::Events},
    vm::{container::quote, host::Host, terminal},
};

use crate::engine::{self, Layer, Options};

/// Attaches a shell on a clone of `layer` (or in `container` there) to this terminal, until the user
/// leaves it. `ready` is called before the first byte goes to the terminal.
///
/// # Errors
/// The layer can't be made or resumed.
pub(crate) async fn shell(
    options: Options,
    layer: Layer,
    container: Option<&str>,
    events: &Events,
    ready: impl FnOnce(),
) -> Result<()> {
    scratch::sweep()?;
    // Swept by a later run if this one is killed.
    let evidence = Scratch::new()?;
    let dir = evidence.path();
    let needed = match layer {
        Layer::Booted | Layer::Host => Base::Host,
        Layer::Deployed => Base::Deployed,
    };
    let options = engine::stage_options(&options)?;
    let stage = Box::pin(Stage::prepare(&options, &[needed], events, dir)).await?;
    let layer = match layer {
        Layer::Booted => stage.booted(),
        Layer::Host | Layer::Deployed => stage.layer(needed),
    };
    let layer = layer.map_err(|verdict| match *verdict {
        Verdict::Skipped { why } => Error::Machine(why),
        verdict => {
            let name = needed.name();
            Error::Machine(format!("the layer {name} could not be made: {verdict:?}"))
        }
    })?;
    let host = layer.host(dir).await?;
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
    scratch::sweep()?;
    let scratch = Scratch::new()?;
    let kept = Kept::open(engine::cache()?.root(), evidence)?;
    let host = kept.host(scratch.path()).await?;
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
