//! Where `spawnlab explain` walks: on a clone of a layer, on a host that was kept, or right here.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use spawnlab::{
    error::{Error, Result},
    event::Events,
    host::Host,
    layer::{kept::layer_of, saved::Layer as Saved},
    scenario::Base,
    scratch::{self, Scratch},
    walk::{self, Walk, Way},
};

use crate::{
    engine::{self, Layer, Options},
    stage::Stage,
};

/// Where to walk.
#[derive(Debug, Clone)]
pub enum Place {
    /// On a fresh clone of a layer.
    Layer(Layer),
    /// On a host that was kept: the evidence folder of its scenario.
    Kept(Utf8PathBuf),
}

/// Walks `way` at `place`.
///
/// # Errors
/// The layer can't be made, or the host can't be resumed.
pub async fn walk(options: Options, place: Place, way: &Way, events: &Events) -> Result<Walk> {
    scratch::sweep()?;
    // Swept by a later run if this one is killed.
    let evidence = Scratch::new()?;
    let host = host(options, place, evidence.path(), events).await?;
    let walk = walk::walk(&host, way).await?;
    host.shut_down().await?;
    Ok(walk)
}

/// The layer with deployed containers, for whoever wants to break clones of it.
///
/// # Errors
/// It can't be made.
pub async fn deployed(options: Options, dir: &Utf8Path, events: &Events) -> Result<Arc<Saved>> {
    let options = engine::stage_options(&options)?;
    let stage = Box::pin(Stage::prepare(&options, &[Base::Deployed], events, dir)).await?;
    Ok(Arc::clone(layer(&stage, Base::Deployed)?))
}

fn layer(stage: &Stage, base: Base) -> Result<&Arc<Saved>> {
    stage.layer(base).map_err(|verdict| {
        let name = base.name();
        Error::Machine(format!("the layer {name} could not be made: {verdict:?}"))
    })
}

async fn host(options: Options, place: Place, dir: &Utf8Path, events: &Events) -> Result<Host> {
    let needed = match &place {
        Place::Layer(Layer::Booted | Layer::Host) => Base::Host,
        Place::Layer(Layer::Deployed) => Base::Deployed,
        Place::Kept(kept) => engine::base(&layer_of(kept)?)?,
    };
    let options = engine::stage_options(&options)?;
    let stage = Box::pin(Stage::prepare(&options, &[needed], events, dir)).await?;
    let saved = match &place {
        Place::Layer(Layer::Booted) => stage.booted(),
        _ => layer(&stage, needed)?,
    };
    match &place {
        Place::Layer(_) => saved.host(dir).await,
        Place::Kept(kept) => saved.resume_kept(kept, dir).await,
    }
}
