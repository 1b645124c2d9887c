//! `qemu-img`, which makes and copies disks.

use std::{ffi::OsStr, time::Duration};

use camino::Utf8Path;
use tokio::process::Command;

use super::args::{Disk, Writes};
use crate::util::{
    error::{Error, Result},
    program,
};

/// How long it may take to make an overlay.
const OVERLAY: Duration = Duration::from_secs(60);
/// How long a copy of a whole disk may take.
const COPY: Duration = Duration::from_secs(300);

/// Makes `file`, a qcow2 overlay over `backing`, to be written to.
///
/// # Errors
/// When qemu-img is missing or refuses, with its words.
pub async fn overlay(backing: &Disk, file: &Utf8Path) -> Result<Disk> {
    let arguments = ["-f", "qcow2", "-F", &backing.format, "-b"];
    let files = [backing.file.as_str(), file.as_str()];
    qemu_img("create", arguments.into_iter().chain(files), OVERLAY).await?;
    Ok(Disk {
        file: file.to_owned(),
        format: "qcow2".into(),
        serial: backing.serial.clone(),
        writes: Writes::Kept,
    })
}

/// Copies the disk of which `image` is the newest layer, as QEMU reads it, into the new file `raw`, with holes.
///
/// # Errors
/// When qemu-img is missing or refuses, with its words.
pub async fn copy(image: &Utf8Path, format: &str, raw: &Utf8Path) -> Result<()> {
    let files = [image.as_str(), raw.as_str()];
    // -U: a layer in use by clones is not written to.
    let arguments = ["-f", format, "-O", "raw", "-U", "--"];
    qemu_img("convert", arguments.into_iter().chain(files), COPY).await
}

/// Runs `qemu-img` with the subcommand `verb` and `arguments`, for at most `limit`.
///
/// # Errors
/// When it is missing, does not end in time, or refuses, with its words.
async fn qemu_img<A: AsRef<OsStr>>(
    verb: &str,
    arguments: impl IntoIterator<Item = A>,
    limit: Duration,
) -> Result<()> {
    let mut command = Command::new("qemu-img");
    command.args([verb, "-q"]).args(arguments);
    let output = program::output(&mut command, "", limit, "qemu-utils").await?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(Error::Qemu(format!("qemu-img {verb}: {}", words.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_refusal_has_its_words() {
        let limit = Duration::from_secs(60);
        let refused = qemu_img("create", ["-f", "no-such-format", "/nowhere/disk"], limit).await;
        // Without qemu-img there is nothing to refuse.
        let said = refused.expect_err("refused").to_string();
        assert!(said.contains("qemu-img"), "{said}");
    }
}
