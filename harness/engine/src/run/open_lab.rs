//! The machines of a lab for a person who looks around: fresh clones, or those that were kept.

use std::{num::NonZeroU32, sync::Arc};

use camino::Utf8Path;

use super::{attempt::Clones, session::Session};
use crate::{
    layer::{kept::Kept, saved::Layer},
    network::Recording,
    scenario::{Scenario, lab::Lab},
    util::error::{Error, Result},
    vm::host::Host,
};

/// Machines that run, and the network between them if they are several.
#[derive(Debug)]
pub struct OpenLab {
    clones: Clones,
    // What was kept stays as long as it is looked at.
    _kept: Option<Kept>,
}

impl OpenLab {
    /// A clone of `layer` by itself. Its logs go into `dir`.
    ///
    /// # Errors
    /// When it can't be started.
    pub async fn of_layer(layer: &Layer, dir: &Utf8Path) -> Result<Self> {
        let lab = Lab::new(layer.host(dir).await?, NonZeroU32::MIN);
        Ok(Self {
            clones: Clones::open(lab, dir, None),
            _kept: None,
        })
    }

    /// The machines of `scenario` as they are before it begins, of the layers of `session`. Their logs go below `dir`.
    ///
    /// # Errors
    /// When a layer could not be made, or a machine can't be started.
    pub async fn cloned(session: &Session, scenario: &Scenario, dir: &Utf8Path) -> Result<Self> {
        let layers = session.layers_of(scenario)?;
        let clones = Clones::start(scenario, &layers, NonZeroU32::MIN, dir).await?;
        Ok(Self {
            clones,
            _kept: None,
        })
    }

    /// A clone for each of `machines`, a name and a layer, joined by a network whose frames go into `recording`, if there is one. Their
    /// logs go below `dir`.
    ///
    /// # Errors
    /// When a machine can't be started, or does not come to its network.
    pub async fn joined(
        machines: &[(&str, &Arc<Layer>)],
        recording: Option<Recording>,
        dir: &Utf8Path,
    ) -> Result<Self> {
        let clones = Clones::of_several(machines, recording, NonZeroU32::MIN, dir).await?;
        Ok(Self {
            clones,
            _kept: None,
        })
    }

    /// What was kept for the scenario with this `evidence` in the cache `cache`. Their logs go below `dir`.
    ///
    /// # Errors
    /// When nothing is kept for it, when it can't be resumed, and when somebody has resumed it who is in it still.
    pub async fn resumed(cache: &Utf8Path, evidence: &Utf8Path, dir: &Utf8Path) -> Result<Self> {
        let kept = Kept::open(cache, evidence)?;
        let clones = Clones::resumed(&kept, dir).await?;
        Ok(Self {
            clones,
            _kept: Some(kept),
        })
    }

    /// Machines and network.
    #[must_use]
    pub fn lab(&self) -> &Lab {
        &self.clones.lab
    }

    /// The machine called `name`, or the first one.
    ///
    /// # Errors
    /// When none is called so, with those that there are.
    pub fn machine(&self, name: Option<&str>) -> Result<&Host> {
        let machines = self.lab().machines();
        let found = match name {
            Some(name) => self.lab().find(name),
            None => machines.first().copied(),
        };
        found.ok_or_else(|| {
            let names: Vec<&str> = machines.iter().map(|machine| machine.name()).collect();
            Error::Given(format!(
                "no machine of this lab is called {}; there are {}",
                name.unwrap_or_default(),
                names.join(", ")
            ))
        })
    }

    /// Ends all machines.
    ///
    /// # Errors
    /// When one of them does not end well.
    pub async fn end(self) -> Result<()> {
        self.clones.end().await
    }
}
