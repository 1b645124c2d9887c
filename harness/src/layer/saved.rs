//! A layer on disk, and clones of it.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use super::{
    key::Key,
    lock::Lock,
    platform::Platform,
    record::{DISK, RAM, STATE},
};
use crate::{
    error::Result,
    host::{Host, Stream},
    qemu::{
        args::{Disk, Memory, Writes},
        machine::Machine,
    },
};

/// A saved host. While it exists, nobody removes its files.
#[derive(Debug)]
pub struct Layer {
    pub(super) name: String,
    pub(super) key: Key,
    pub(super) build: String,
    pub(super) dir: Utf8PathBuf,
    pub(super) lab: Utf8PathBuf,
    pub(super) platform: Arc<Platform>,
    // A layer's disk is an overlay over its parent's.
    pub(super) _parent: Option<Arc<Layer>>,
    pub(super) _lock: Lock,
}

impl Layer {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    pub(super) fn disk(&self) -> Disk {
        Disk {
            file: self.dir.join(DISK),
            format: "qcow2".into(),
            serial: self.platform.root.serial.clone(),
            writes: Writes::Dropped,
        }
    }

    /// A running clone: memory and disk are copied on write, nothing of it is kept.
    ///
    /// # Errors
    /// When QEMU does not take the state, or the host does not answer as the one that was saved.
    pub async fn host(&self, evidence: &Utf8Path) -> Result<Host> {
        self.clone_on(self.disk(), evidence).await
    }

    /// A QEMU with a clone's command line that has loaded nothing yet: what any clone costs at least.
    ///
    /// # Errors
    /// When QEMU can't be started.
    pub async fn start(&self, evidence: &Utf8Path) -> Result<Machine> {
        self.start_on(self.disk(), evidence).await
    }

    async fn start_on(&self, root: Disk, evidence: &Utf8Path) -> Result<Machine> {
        let memory = fs_err::File::open(self.dir.join(RAM))?.into_parts().0;
        let spec = self
            .platform
            .machine(Memory::Private, true, root, self.lab.clone());
        Machine::start(&spec, memory, evidence).await
    }

    /// What it stands on.
    #[must_use]
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// A clone that writes to `root`, an overlay over [`Self::disk`] or that disk itself.
    pub(super) async fn clone_on(&self, root: Disk, evidence: &Utf8Path) -> Result<Host> {
        let machine = self.start_on(root, evidence).await?;
        let host = Host::new(machine, self.platform.accel, evidence)?;
        let state = self.dir.join(STATE);
        host.resume(&state, Stream::WithoutMemory, &self.key)
            .await?;
        Ok(host)
    }
}
