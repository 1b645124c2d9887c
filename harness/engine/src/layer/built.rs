//! One build of a layer on the disk, and clones of it.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use super::{
    checked::Checked,
    key::Key,
    lock::Lock,
    platform::Platform,
    record::{DISK, RAM, STATE},
};
use crate::{
    util::error::Result,
    vm::{
        host::{Host, SavedState},
        qemu::{
            args::{Disk, MachineSpec, Memory, Uplink, Writes},
            machine::Machine,
        },
    },
};

/// A saved host. While it exists, no lab removes its files.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) key: Key,
    /// What tells it from other builds of the same key.
    pub(super) id: String,
    pub(super) dir: Utf8PathBuf,
    pub(super) lab: Utf8PathBuf,
    pub(super) platform: Arc<Platform>,
    pub(super) checked: Checked,
    // Its disk is an overlay over its parent's.
    pub(super) parent: Option<Arc<Built>>,
    pub(super) _lock: Lock,
}

impl Built {
    /// Whether its files, and those that it stands on, are still those that were checked.
    pub(super) fn holds(&self) -> bool {
        self.checked.holds() && self.parent.as_ref().is_none_or(|parent| parent.holds())
    }

    pub(super) fn disk(&self) -> Disk {
        Disk {
            file: self.dir.join(DISK),
            format: "qcow2".into(),
            serial: self.platform.root.serial.clone(),
            writes: Writes::Dropped,
        }
    }

    /// A QEMU with a clone's command line that has loaded nothing yet.
    pub(super) async fn start(
        &self,
        uplink: Option<Uplink>,
        evidence: &Utf8Path,
    ) -> Result<Machine> {
        self.start_on(self.disk(), uplink, evidence).await
    }

    async fn start_on(
        &self,
        disk: Disk,
        uplink: Option<Uplink>,
        evidence: &Utf8Path,
    ) -> Result<Machine> {
        let memory = self.checked.open(RAM)?;
        let lab = self.lab.clone();
        let spec = self.platform.machine(Memory::Private, true, disk, lab);
        let spec = MachineSpec { uplink, ..spec };
        self.platform.start(&spec, memory, evidence).await
    }

    /// A running clone, in the network of `uplink` if there is one.
    pub(super) async fn host(&self, uplink: Option<Uplink>, evidence: &Utf8Path) -> Result<Host> {
        self.host_on(self.disk(), uplink, evidence).await
    }

    /// The same on `disk`, an overlay over its own.
    pub(super) async fn host_on(
        &self,
        disk: Disk,
        uplink: Option<Uplink>,
        evidence: &Utf8Path,
    ) -> Result<Host> {
        let machine = self.start_on(disk, uplink, evidence).await?;
        let host = Host::new(machine, self.platform.accel, evidence)?;
        let state = self.dir.join(STATE);
        host.resume(&state, SavedState::WithoutMemory, self.key.as_str())
            .await?;
        Ok(host)
    }
}
