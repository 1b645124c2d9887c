//! The cold path, one step at a time, for those who measure it: a host without any layer.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::{
    key::Key,
    platform::{LAB_DISK_MIB, Platform},
    record::{DISK, RAM, STATE},
    stack::new_memory,
};
use crate::{
    util::error::Result,
    vm::{
        host::{Host, SavedState},
        qemu::args::Memory,
    },
};

/// Longest wait for a state to be written.
const SAVING: Duration = Duration::from_secs(120);

/// A host that boots from the image as the booted layer does, in a folder of the caller's.
#[derive(Debug)]
pub struct Cold {
    host: Host,
    dir: Utf8PathBuf,
    key: Key,
}

impl Cold {
    /// Starts it. Its memory, disk and saved state go into `dir`, which is the caller's to remove;
    /// its evidence too.
    ///
    /// # Errors
    /// When QEMU can't be started.
    pub async fn start(platform: &Platform, dir: &Utf8Path) -> Result<Self> {
        let lab = dir.join("lab.raw");
        fs_err::File::create(&lab)?.set_len(LAB_DISK_MIB << 20)?;
        let memory = new_memory(&dir.join(RAM), platform.memory_mib)?;
        let root = platform.overlay(&platform.root, &dir.join(DISK)).await?;
        let spec = platform.machine(Memory::Shared, false, root, lab);
        let machine = platform.start(&spec, memory, dir).await?;
        Ok(Self {
            host: Host::new(machine, platform.accel, dir)?,
            dir: dir.to_owned(),
            key: platform.key(),
        })
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Marks it and lets it come to rest, as is done before a layer is saved.
    ///
    /// # Errors
    /// As [`Verbs::succeed`](crate::vm::verbs::Verbs::succeed).
    pub async fn wait_ready(&self) -> Result<()> {
        self.host.mark(self.key.as_str()).await
    }

    /// Stops it and writes its state.
    ///
    /// # Errors
    /// When QEMU can't save it.
    pub async fn save(&self) -> Result<()> {
        let state = self.dir.join(STATE);
        self.host
            .save(&state, SavedState::WithoutMemory, SAVING)
            .await
    }

    /// Ends it.
    ///
    /// # Errors
    /// When the kernel does not tell how QEMU ended.
    pub async fn shut_down(self) -> Result<()> {
        self.host.shut_down().await
    }
}
