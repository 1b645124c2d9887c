//! Room on the disk, looked at before a layer is built, and again when that failed: a full disk kills
//! QEMU at any moment, and looks like anything.

use camino::Utf8Path;

use crate::{
    util::error::{Error, Result},
    verdict::ScenarioError,
};

/// What a layer takes at most, by measure: memory in use below 500 MiB, disk below 100 MiB; with
/// room to spare for what else is going on.
const NEEDED_MIB: u64 = 1536;

/// What a host that is kept with its memory takes, by measure some 400 MiB.
pub(super) const HOST: u64 = 512 << 20;

/// With less than this, whatever went wrong went wrong for want of room.
const FULL_MIB: u64 = 8;

/// Fails when the file system of `dir` has too little room for another layer.
///
/// # Errors
/// [`Error::Machine`] with both figures and the next step.
pub(super) fn enough(dir: &Utf8Path) -> Result<()> {
    check(dir, free_mib(dir)?)
}

fn free_mib(dir: &Utf8Path) -> Result<u64> {
    let stat = rustix::fs::statvfs(dir.as_str()).map_err(std::io::Error::from)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize) >> 20)
}

/// `broken`, which kept a layer in `dir` from being built, as a full disk if it is one: the guest may
/// have failed with any words when QEMU could not write what it wrote.
pub(super) fn blamed(dir: &Utf8Path, broken: ScenarioError) -> ScenarioError {
    // A disk that can't be looked at is not known to be full.
    full(dir, free_mib(dir).unwrap_or(u64::MAX), broken)
}

fn full(dir: &Utf8Path, free_mib: u64, broken: ScenarioError) -> ScenarioError {
    let words = broken.to_string();
    let said = ["No space left on device", "Disk quota exceeded"];
    if free_mib >= FULL_MIB && !said.iter().any(|said| words.contains(said)) {
        return broken;
    }
    ScenarioError::Infrastructure(Error::Machine(format!(
        "the disk of {dir} is full ({free_mib} MiB are free, a layer may need {NEEDED_MIB} MiB); free some, or set SPAWNLAB_CACHE to a larger disk. What failed: {words}"
    )))
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

    #[test]
    fn what_fails_on_a_full_disk_is_blamed_on_it() {
        let died = || ScenarioError::Infrastructure(Error::Qemu("it ended with signal: 7".into()));
        let blamed = full("/cache".into(), 0, died());
        insta::assert_snapshot!(blamed, @"the disk of /cache is full (0 MiB are free, a layer may need 1536 MiB); free some, or set SPAWNLAB_CACHE to a larger disk. What failed: qemu: it ended with signal: 7");
        let other = full("/cache".into(), 4096, died());
        assert_eq!(other.to_string(), died().to_string());
        let words = Error::Monitor("migration failed: No space left on device".into());
        let quota = full("/cache".into(), 4096, words.into());
        assert!(quota.to_string().contains("is full"), "{quota}");
    }
}
