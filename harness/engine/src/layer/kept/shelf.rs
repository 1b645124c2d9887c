//! All that is kept: the list for people, and the bounds.

use std::{
    fs::File,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{FlockOperation, flock};

use super::{BYTES, MOST, NOTE, Note, OWNER, read, run};
use crate::{layer::evict::size, util::error::Result};

/// A kept host, or the machines of a kept lab, for people to choose from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptLab {
    /// Its folder.
    pub dir: Utf8PathBuf,
    /// Evidence of its scenario.
    pub evidence: Utf8PathBuf,
    /// The names of its machines, in the order of the scenario's declaration.
    pub machines: Vec<String>,
    /// Bytes in use on the disk.
    pub bytes: u64,
    /// When it was kept.
    pub at: SystemTime,
    run: String,
}

impl KeptLab {
    pub(super) fn is_own(&self) -> bool {
        self.run == run()
    }
}

/// What is kept below `cache`, the oldest first.
///
/// # Errors
/// When the folder can't be read.
pub fn list(cache: &Utf8Path) -> Result<Vec<KeptLab>> {
    found(&shelf(cache))
}

/// Removes what killed runs left half-written below `cache`, and what another version of the lab kept.
///
/// # Errors
/// When the folder can't be read.
pub fn sweep(cache: &Utf8Path) -> Result<()> {
    let shelf = shelf(cache);
    match shelf.is_dir() {
        true => swept(&shelf),
        false => Ok(()),
    }
}

fn shelf(cache: &Utf8Path) -> Utf8PathBuf {
    cache.join("kept")
}

pub(super) fn found(dir: &Utf8Path) -> Result<Vec<KeptLab>> {
    let mut all = vec![];
    if !dir.is_dir() {
        return Ok(all);
    }
    for entry in dir.read_dir_utf8()? {
        let dir = entry?.into_path();
        let saving = dir.file_name().unwrap_or_default().starts_with('.');
        let Some(note) = read::<Note>(&dir.join(NOTE)).filter(|_| !saving) else {
            continue;
        };
        all.push(KeptLab {
            bytes: size(&dir),
            at: UNIX_EPOCH + Duration::from_secs(u64::try_from(note.kept_at).unwrap_or(0)),
            evidence: note.evidence,
            machines: note.machines.into_iter().map(|it| it.name).collect(),
            run: note.run,
            dir,
        });
    }
    all.sort_by(|a, b| (a.at, &a.dir).cmp(&(b.at, &b.dir)));
    Ok(all)
}

fn swept(dir: &Utf8Path) -> Result<()> {
    for entry in dir.read_dir_utf8()? {
        let path = entry?.into_path();
        if read::<Note>(&path.join(NOTE)).is_none()
            || path.file_name().unwrap_or_default().starts_with('.')
        {
            remove(&path);
        }
    }
    Ok(())
}

/// Removes what is kept in `dir`, the oldest first, until the rest is within bounds; nothing that somebody looks
/// at, and what this process kept last. What killed runs left half-written goes, too.
pub(super) fn make_room(dir: &Utf8Path) -> Result<()> {
    swept(dir)?;
    let mut kept = found(dir)?;
    kept.sort_by_key(KeptLab::is_own);
    let mut bytes: u64 = kept.iter().map(|kept| kept.bytes).sum();
    let mut count: usize = kept.iter().map(|kept| kept.machines.len()).sum();
    for kept in kept {
        if (count > MOST || bytes > BYTES) && remove(&kept.dir) {
            count -= kept.machines.len();
            bytes -= kept.bytes;
        }
    }
    Ok(())
}

/// Removes what is kept in `dir` unless somebody writes or resumes it.
fn remove(dir: &Utf8Path) -> bool {
    let free = File::open(dir.join(OWNER))
        .map(|file| flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok());
    if !free.unwrap_or(true) {
        return false;
    }
    let _ = std::fs::remove_file(dir.join(NOTE));
    std::fs::remove_dir_all(dir).is_ok()
}
