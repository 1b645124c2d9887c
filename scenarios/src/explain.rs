//! Where `spawnlab explain` walks: on a clone of a layer, on a host that was kept, or right here.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use spawnlab::{
    diagnose::{self, Diagnosis, Endpoint},
    layer::{kept::Kept, saved::Layer as Saved},
    run::stage::Stage,
    scenario::Base,
    util::{
        error::{Error, Result},
        scratch::{self, Scratch},
    },
    verdict::{Verdict, event::Events},
    vm::host::Host,
};

use crate::engine::{self, Layer, Options};

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
pub async fn walk(
    options: Options,
    place: Place,
    way: &Endpoint,
    events: &Events,
) -> Result<Diagnosis> {
    scratch::sweep()?;
    // Swept by a later run if this one is killed.
    let evidence = Scratch::new()?;
    let host = host(options, place, evidence.path(), events).await?;
    let walk = diagnose::diagnose(&host, way).await?;
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
    Ok(Arc::clone(made(
        stage.layer(Base::Deployed),
        Base::Deployed,
    )?))
}

fn made(layer: std::result::Result<&Arc<Saved>, Box<Verdict>>, base: Base) -> Result<&Arc<Saved>> {
    layer.map_err(|verdict| match *verdict {
        Verdict::Skipped { why } => Error::Machine(why),
        verdict => {
            let name = base.name();
            Error::Machine(format!("the layer {name} could not be made: {verdict:?}"))
        }
    })
}

async fn host(options: Options, place: Place, dir: &Utf8Path, events: &Events) -> Result<Host> {
    let wanted = match place {
        Place::Layer(wanted) => wanted,
        Place::Kept(evidence) => {
            let kept = Kept::open(engine::cache()?.root(), &evidence)?;
            return kept.host(dir).await;
        }
    };
    let needed = match wanted {
        Layer::Booted | Layer::Host => Base::Host,
        Layer::Deployed => Base::Deployed,
    };
    let options = engine::stage_options(&options)?;
    let stage = Box::pin(Stage::prepare(&options, &[needed], events, dir)).await?;
    let saved = match wanted {
        Layer::Booted => stage.booted(),
        Layer::Host | Layer::Deployed => stage.layer(needed),
    };
    made(saved, needed)?.host(dir).await
}
