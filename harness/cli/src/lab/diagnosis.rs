//! Where `spawnlab explain` looks: on a clone of a layer, or on a host that was kept.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use spawnlab::{
    diagnose::{self, Diagnosis, Endpoint},
    layer::{kept::Kept, saved::Layer},
    run::{
        config::RunConfig,
        session::{Session, Start, cache},
    },
    scenario::Base,
    util::{
        error::Result,
        scratch::{self, Scratch},
    },
    verdict::event::Events,
    vm::host::Host,
};

/// Where to look.
#[derive(Debug, Clone)]
pub enum HostSource {
    /// On a fresh clone of a layer.
    Layer(Start),
    /// On a host that was kept: the evidence folder of its scenario.
    Kept(Utf8PathBuf),
}

/// Diagnoses `endpoint` at `place`.
///
/// # Errors
/// The layer can't be made, or the host can't be resumed.
pub async fn diagnose(
    config: RunConfig,
    source: HostSource,
    endpoint: &Endpoint,
    events: &Events,
) -> Result<Diagnosis> {
    scratch::sweep()?;
    // Swept by a later run if this one is killed.
    let evidence = Scratch::new()?;
    let host = host(config, source, evidence.path(), events).await?;
    let diagnosis = diagnose::diagnose(&host, endpoint).await?;
    host.shut_down().await?;
    Ok(diagnosis)
}

/// The layer with deployed containers, for whoever wants to break clones of it.
///
/// # Errors
/// It can't be made.
pub async fn deployed(config: RunConfig, dir: &Utf8Path, events: &Events) -> Result<Arc<Layer>> {
    let session = Session::open(config, &[Base::Deployed], dir, events).await?;
    session.start(Start::Deployed).map(Arc::clone)
}

async fn host(
    config: RunConfig,
    source: HostSource,
    dir: &Utf8Path,
    events: &Events,
) -> Result<Host> {
    match source {
        HostSource::Kept(evidence) => {
            let kept = Kept::open(cache()?.root(), &evidence)?;
            kept.host(dir).await
        }
        HostSource::Layer(start) => {
            let session = Session::open(config, &[start.base()], dir, events).await?;
            session.start(start)?.host(dir).await
        }
    }
}
