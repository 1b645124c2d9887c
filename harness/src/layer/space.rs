//! Room on the disk, looked at before a layer is built: a full disk kills QEMU at any moment.

use camino::Utf8Path;

use crate::error::{Error, Result};

/// What a layer takes at most, by measure: memory in use below 500 MiB, disk below 100 MiB; with
/// room to spare for what else is going on.
const NEEDED_MIB: u64 = 1536;

/// Fails when the file system of `dir` has too little room for another layer.
///
/// # Errors
/// [`Error::Machine`] with both figures and the next step.
pub(super) fn enough(dir: &Utf8Path) -> Result<()> {
    let stat = rustix::fs::statvfs(dir.as_str()).map_err(std::io::Error::from)?;
    check(dir, stat.f_bavail.saturating_mul(stat.f_frsize) >> 20)
}

fn check(dir: &Utf8Path, free_mib: u64) -> Result<()> {
    if free_mib >= NEEDED_MIB {
        return Ok(());
    }
    Err(Error::Machine(format!(
        "{free_mib} MiB are free in {dir}, a layer may need {NEEDED_MIB} MiB; free some, or set SPAWNLAB_CACHE to a larger disk"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_is_refused_with_both_figures() {
        check("/cache".into(), NEEDED_MIB).unwrap();
        let error = check("/cache".into(), 12).unwrap_err();
        insta::assert_snapshot!(error, @"12 MiB are free in /cache, a layer may need 1536 MiB; free some, or set SPAWNLAB_CACHE to a larger disk");
    }
}
