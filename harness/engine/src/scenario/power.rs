//! Cutting the power of a lab's host, and switching it on again.

pub mod found;
pub mod sweep;

use std::sync::OnceLock;

use camino::Utf8PathBuf;

use super::lab::Lab;
use crate::{
    layer::logged::LoggedDisk,
    util::error::{Error, Result},
    vm::{disk::loss::Loss, host::Host},
};

/// What the console of the host said before its power was cut, in the evidence folder.
const CONSOLE_BEFORE: &str = "console-before-power-cut.log";

/// The power of a host whose disk is logged. It can be cut once.
#[derive(Debug)]
pub(super) struct Power {
    disk: LoggedDisk,
    /// The disk that was found after the cut.
    found: OnceLock<Utf8PathBuf>,
    again: OnceLock<Host>,
}

impl Power {
    pub(super) fn of(disk: LoggedDisk) -> Self {
        Self {
            disk,
            found: OnceLock::new(),
            again: OnceLock::new(),
        }
    }

    /// The host after its power is back.
    pub(super) fn again(&self) -> Option<&Host> {
        self.again.get()
    }

    pub(super) fn into_again(self) -> Option<Host> {
        self.again.into_inner()
    }
}

impl Lab {
    /// Cuts the power of the host, of which nothing is told, at this instant. Its disk keeps what it was told to flush; of
    /// the rest, and of what it was writing just now, it has what `loss` says.
    ///
    /// # Errors
    /// When the scenario did not ask for it (`disk = Logged`), or has done it before, or the disk can't be made.
    pub async fn power_cut(&self, loss: Loss) -> Result<()> {
        let power = self.power()?;
        if power.found.get().is_some() {
            return Err(Error::Machine(
                "the power was cut before: once is what a scenario can".into(),
            ));
        }
        self.host().machine().kill().await?;
        let cut = power.disk.log()?.entries.len();
        let raw = power.disk.after_power_cut(cut, loss, "found.raw").await?;
        let _ = power.found.set(raw);
        Ok(())
    }

    /// Switches the host on again and waits until it takes commands; from here on, [`Lab::host`] is this one.
    ///
    /// # Errors
    /// When the power was not cut, or the host does not boot.
    pub async fn power_on(&self) -> Result<()> {
        let power = self.power()?;
        let Some(raw) = power.found.get() else {
            return Err(Error::Machine("the power was not cut".into()));
        };
        let before = self.host();
        let evidence = before.evidence();
        let console = evidence.join("console.log");
        fs_err::rename(console, evidence.join(CONSOLE_BEFORE))?;
        let host = power.disk.boot(raw, evidence).await?;
        host.follows(before);
        let _ = power.again.set(host);
        Ok(())
    }

    /// The log of what the host has written to its disk, and the disk that it began with.
    ///
    /// # Errors
    /// When the scenario did not ask for it (`disk = Logged`).
    pub fn logged_disk(&self) -> Result<&LoggedDisk> {
        Ok(&self.power()?.disk)
    }
}
