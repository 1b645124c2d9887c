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
    /// On what was kept: the evidence folder of its scenario, and the machine; the container host if none is named.
    Kept(Utf8PathBuf, Option<String>),
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
    let (lab, machine) = match source {
        HostSource::Layer(start) => {
            let what = Cloned::Layer(start);
            (hosts::cloned(config, what, dir, events).await?, None)
        }
        HostSource::Kept(kept, machine) => (hosts::resumed(&kept, dir).await?, machine),
    };
    let host = match machine.as_deref() {
        Some(machine) => lab.machine(Some(machine)),
        None => Ok(lab.lab().host()),
    };
    let diagnosis = match host {
        Ok(host) => diagnose::diagnose(host, endpoint).await,
        Err(error) => Err(error),
    };
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
