//! Copy-on-write disks.

use std::{process::Stdio, time::Duration};

use camino::Utf8Path;
use tokio::process::Command;

use crate::{
    util::error::{Error, Result},
    vm::qemu::args::{Disk, Writes},
};

/// Makes `file`, a qcow2 overlay over `backing`, to be written to.
///
/// # Errors
/// When qemu-img is missing or refuses, with its words.
pub async fn overlay(backing: &Disk, file: &Utf8Path) -> Result<Disk> {
    let run = Command::new("qemu-img")
        .args(["create", "-q", "-f", "qcow2", "-F", &backing.format, "-b"])
        .arg(&backing.file)
        .arg(file)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(60), run)
        .await
        .map_err(|_| Error::Qemu("qemu-img did not end within 60 s".into()))?
        .map_err(|error| {
            Error::Machine(format!(
                "qemu-img could not be started: {error}; install qemu-utils (ci/lab does)"
            ))
        })?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(Error::Qemu(format!("qemu-img create: {}", words.trim())));
    }
    Ok(Disk {
        file: file.to_owned(),
        format: "qcow2".into(),
        serial: backing.serial.clone(),
        writes: Writes::Kept,
    })
}
