//! Clones whose writes to their disk are logged: what they find after a power cut can be made.

use std::{fs::File, io::BufReader, sync::Arc};

use camino::{Utf8Path, Utf8PathBuf};

use super::built::Built;
use crate::{
    util::{
        error::{Error, Result},
        scratch::Scratch,
    },
    vm::{
        disk::{
            image::{self, log_of},
            log::WriteLog,
            loss::Loss,
        },
        host::Host,
        qemu::{
            args::{Disk, Memory, Writes},
            img,
        },
    },
};

/// The disk of a clone, with the log of what the clone writes to it. Its files are removed with this value.
#[derive(Debug)]
pub struct LoggedDisk {
    built: Arc<Built>,
    disk: Disk,
    scratch: Scratch,
}

impl LoggedDisk {
    /// A new one over the disk of `built`, below the folder `parent`.
    ///
    /// # Errors
    /// When its files can't be made.
    pub(super) async fn over(built: Arc<Built>, parent: &Utf8Path) -> Result<Self> {
        let scratch = Scratch::below(parent)?;
        let file = scratch.path().join("disk.qcow2");
        let overlay = built.platform.overlay(&built.disk(), &file).await?;
        fs_err::File::create(log_of(&overlay.file))?;
        let disk = Disk {
            writes: Writes::Logged,
            ..overlay
        };
        Ok(Self {
            built,
            disk,
            scratch,
        })
    }

    pub(super) fn disk(&self) -> &Disk {
        &self.disk
    }

    /// The folder of its files, for others that belong to it.
    #[must_use]
    pub fn folder(&self) -> &Utf8Path {
        self.scratch.path()
    }

    /// The file of the log.
    #[must_use]
    pub fn log_file(&self) -> Utf8PathBuf {
        log_of(&self.disk.file)
    }

    /// What was logged until now.
    ///
    /// # Errors
    /// When it is no log, or can't be read.
    pub fn log(&self) -> Result<WriteLog> {
        let file = fs_err::File::open(self.log_file())?;
        WriteLog::read(&mut BufReader::new(file))
            .map_err(|error| Error::answer("the log of QEMU", error.to_string()))
    }

    /// The disk as it was when the clone was started, as the new file `name` in [`Self::folder`].
    ///
    /// # Errors
    /// When it can't be copied.
    pub async fn at_start(&self, name: &str) -> Result<Utf8PathBuf> {
        let raw = self.folder().join(name);
        let from = self.built.disk();
        img::copy(&from.file, &from.format, &raw).await?;
        Ok(raw)
    }

    /// The disk that the machine finds when the power is cut after the first `cut` entries of its log, as the new file
    /// `name` in [`Self::folder`].
    ///
    /// # Errors
    /// When it can't be made.
    pub async fn after_power_cut(&self, cut: usize, loss: Loss, name: &str) -> Result<Utf8PathBuf> {
        let patches = self.log()?.after_power_cut(cut, loss);
        let raw = self.at_start(name).await?;
        let (log, disk) = (self.log_file(), raw.clone());
        let write = move || {
            let mut log = File::open(log)?;
            let mut disk = File::options().write(true).open(disk)?;
            image::apply(&patches, &mut log, &mut disk)
        };
        tokio::task::spawn_blocking(write)
            .await
            .map_err(|error| Error::Machine(format!("the disk could not be made: {error}")))??;
        Ok(raw)
    }

    /// A host of the clone's platform that boots from the disk `raw`, and is ready for commands.
    ///
    /// # Errors
    /// When it does not boot.
    pub async fn boot(&self, raw: &Utf8Path, evidence: &Utf8Path) -> Result<Host> {
        let platform = &self.built.platform;
        let root = Disk {
            file: raw.to_owned(),
            format: "raw".into(),
            serial: self.disk.serial.clone(),
            writes: Writes::Kept,
        };
        let spec = platform.machine(Memory::Anonymous, false, root, self.built.lab.clone());
        let machine = platform.start(&spec, None, evidence).await?;
        let host = Host::new(machine, platform.accel, evidence)?;
        host.wait_for_boot().await?;
        host.mount_lab_disk().await?;
        Ok(host)
    }
}
