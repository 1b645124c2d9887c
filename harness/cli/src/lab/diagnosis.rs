//! Where `spawnlab explain` looks: on a clone of a layer, or on a host that was kept.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use spawnlab::{
    diagnose::{self, Diagnosis, Endpoint},
    layer::saved::Layer,
    run::{
        config::RunConfig,
        session::{Session, Start},
    },
    scenario::Base,
    util::{error::Result, scratch::Scratch},
    verdict::event::Events,
};

use crate::lab::hosts::{self, Cloned};

/// Where to look.
#[derive(Debug, Clone)]
pub enum HostSource {
    /// On a fresh clone of a layer.
    Layer(Start),
    /// On the container host that was kept: the evidence folder of its scenario.
    Kept(Utf8PathBuf),
}

/// Diagnoses `endpoint` at `source`.
///
/// # Errors
/// The layer can't be made, or the host can't be resumed.
pub async fn diagnose(
    config: RunConfig,
    source: HostSource,
    endpoint: &Endpoint,
    events: &Events,
) -> Result<Diagnosis> {
    // Swept by a later run if this one is killed.
    let evidence = Scratch::new()?;
    let dir = evidence.path();
    let lab = match source {
        HostSource::Layer(start) => {
            hosts::cloned(config, Cloned::Layer(start), dir, events).await?
        }
        HostSource::Kept(kept) => hosts::resumed(&kept, dir).await?,
    };
    let diagnosis = diagnose::diagnose(lab.lab().host(), endpoint).await;
    lab.end().await?;
    diagnosis
}

/// The layer with deployed containers, for whoever wants to break clones of it.
///
/// # Errors
/// It can't be made.
pub async fn deployed(config: RunConfig, dir: &Utf8Path, events: &Events) -> Result<Arc<Layer>> {
    let session = Session::open(config, &[Base::Deployed], dir, events).await?;
    session.start(Start::Deployed).map(Arc::clone)
}
