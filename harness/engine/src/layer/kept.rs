//! Hosts kept as they were when their scenario failed, to be resumed and looked at.
//!
//! They are in the cache, within bounds of their own; the scenario's evidence says which one is its.

use std::{
    fs::File,
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::{
    built::Built,
    checked,
    evict::size,
    key::Key,
    lock::Lock,
    platform::Platform,
    record::{DISK, LAB, LayerRecord, STATE},
    space,
};
use crate::{
    util::error::{Error, Result},
    vm::{
        host::{Host, SavedState},
        qemu::{
            args::{Disk, Memory, Writes},
            identity,
        },
        slots,
    },
};

/// Version of [`Note`].
const VERSION: u32 = 2;
/// File name of the [`Note`] of a kept host, and in the evidence of the [`Pointer`] to it.
const NOTE: &str = "kept.json";
/// How many hosts are kept at most.
pub const MOST: usize = 8;
/// How many bytes they take at most, all together.
pub const BYTES: u64 = 4 << 30;
/// Longest time for a host to be written.
const SAVING: Duration = Duration::from_secs(120);

/// What a kept host stands on. Written last: a folder without it holds none.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    version: u32,
    /// The process that kept it; its own are the last ones that it removes.
    run: String,
    evidence: Utf8PathBuf,
    kept_at: i64,
    /// Name of the layer that it is a clone of.
    layer: String,
    /// Key and build of that layer, of its parent, and so on.
    below: Vec<(Key, String)>,
    platform: Platform,
}

/// In the evidence: where the host is.
#[derive(Debug, Serialize, Deserialize)]
struct Pointer {
    kept: Utf8PathBuf,
}

/// The files that a clone was started on.
#[derive(Debug)]
pub struct Origin {
    pub(super) built: Arc<Built>,
    pub(super) layer: String,
    /// The folder of all kept hosts.
    pub(super) dir: Utf8PathBuf,
}

impl Origin {
    /// Keeps `host`, a clone of this origin, as it is at this instant; it goes on running. Returns whether
    /// it is kept: once this process has kept as many as there may be, no more are.
    ///
    /// # Errors
    /// When it can't be saved. Nothing is left of it then.
    pub async fn keep(&self, host: &Host, evidence: &Utf8Path) -> Result<bool> {
        fs_err::create_dir_all(&self.dir)?;
        let own = found(&self.dir)?.into_iter().filter(KeptHost::is_own);
        let (count, bytes) = own.fold((0, 0), |(count, bytes), kept| {
            (count + 1, bytes + kept.bytes)
        });
        if count >= MOST || bytes + space::HOST > BYTES {
            return Ok(false);
        }
        space::enough(&self.dir)?;
        let saving = tempfile::Builder::new()
            .prefix(SAVING_PREFIX)
            .tempdir_in(&self.dir)?;
        let dir = Utf8Path::from_path(saving.path())
            .ok_or_else(|| Error::Machine("the cache's path is not UTF-8".into()))?;
        // Held as long as it is being written: what has no note and no lock was left by a killed run.
        let lock = fs_err::File::create(dir.join(OWNER))?.into_parts().0;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(std::io::Error::from)?;
        let platform = &self.built.platform;
        let root = platform
            .overlay(&self.built.disk(), &dir.join(DISK))
            .await?;
        host.save_whole(&dir.join(STATE), &root.file, SAVING)
            .await?;
        let note = Note {
            version: VERSION,
            run: run().to_owned(),
            evidence: evidence.to_owned(),
            kept_at: jiff::Timestamp::now().as_second(),
            layer: self.layer.clone(),
            below: below(&self.built),
            platform: (**platform).clone(),
        };
        write(&dir.join(NOTE), &note)?;
        let name = dir.file_name().unwrap_or_default();
        let kept = self.dir.join(name.trim_start_matches(SAVING_PREFIX));
        fs_err::rename(dir, &kept)?;
        write(&evidence.join(NOTE), &Pointer { kept })?;
        drop(lock);
        make_room(&self.dir)?;
        Ok(true)
    }

    /// Notes how much memory `host`, a clone of this origin, has taken in its life: the next ones are
    /// admitted by that.
    pub fn measured(&self, host: &Host) {
        if let Some(cache) = self.dir.parent() {
            slots::note(cache, host.machine().pid());
        }
    }
}

const SAVING_PREFIX: &str = ".saving-";
const OWNER: &str = "owner";

/// What tells this process from others, also from those that had its id before.
fn run() -> &'static str {
    static RUN: OnceLock<String> = OnceLock::new();
    RUN.get_or_init(|| {
        let began = jiff::Timestamp::now().as_millisecond();
        format!("{}-{began}", std::process::id())
    })
}

fn below(built: &Arc<Built>) -> Vec<(Key, String)> {
    let mut below = vec![];
    let mut at = Some(built);
    while let Some(built) = at {
        below.push((built.key.clone(), built.id.clone()));
        at = built.parent.as_ref();
    }
    below
}

fn write(path: &Utf8Path, what: &impl Serialize) -> Result<()> {
    let text = serde_json::to_vec_pretty(what).map_err(std::io::Error::from)?;
    Ok(fs_err::write(path, text)?)
}

fn read<T: for<'a> Deserialize<'a>>(path: &Utf8Path) -> Option<T> {
    serde_json::from_slice(&fs_err::read(path).ok()?).ok()
}

/// A kept host, for people to choose from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptHost {
    /// Its folder.
    pub dir: Utf8PathBuf,
    /// Evidence of its scenario.
    pub evidence: Utf8PathBuf,
    /// Bytes in use on the disk.
    pub bytes: u64,
    /// When it was kept.
    pub at: SystemTime,
    run: String,
}

impl KeptHost {
    fn is_own(&self) -> bool {
        self.run == run()
    }
}

/// The hosts kept below `cache`, the oldest first.
///
/// # Errors
/// When the folder can't be read.
pub fn list(cache: &Utf8Path) -> Result<Vec<KeptHost>> {
    found(&cache.join("kept"))
}

fn found(dir: &Utf8Path) -> Result<Vec<KeptHost>> {
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
        all.push(KeptHost {
            bytes: size(&dir),
            at: UNIX_EPOCH + Duration::from_secs(u64::try_from(note.kept_at).unwrap_or(0)),
            evidence: note.evidence,
            run: note.run,
            dir,
        });
    }
    all.sort_by(|a, b| (a.at, &a.dir).cmp(&(b.at, &b.dir)));
    Ok(all)
}

/// Removes hosts in `dir`, the oldest first, until the rest is within bounds; none that somebody looks
/// at, and those of this process last. What killed runs left half-written goes, too.
fn make_room(dir: &Utf8Path) -> Result<()> {
    for entry in dir.read_dir_utf8()? {
        let path = entry?.into_path();
        if !path.join(NOTE).exists() || path.file_name().unwrap_or_default().starts_with('.') {
            remove(&path);
        }
    }
    let mut kept = found(dir)?;
    kept.sort_by_key(KeptHost::is_own);
    let mut bytes: u64 = kept.iter().map(|kept| kept.bytes).sum();
    let mut count = kept.len();
    for kept in kept {
        if (count > MOST || bytes > BYTES) && remove(&kept.dir) {
            count -= 1;
            bytes -= kept.bytes;
        }
    }
    Ok(())
}

/// Removes a kept host unless somebody writes or resumes it.
fn remove(dir: &Utf8Path) -> bool {
    let free = File::open(dir.join(OWNER))
        .map(|file| flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok());
    if !free.unwrap_or(true) {
        return false;
    }
    let _ = std::fs::remove_file(dir.join(NOTE));
    std::fs::remove_dir_all(dir).is_ok()
}

/// A kept host that can be resumed. While it exists, nobody removes what it stands on.
#[derive(Debug)]
pub struct Kept {
    dir: Utf8PathBuf,
    platform: Platform,
    key: Key,
    lab: Utf8PathBuf,
    _locks: Vec<Lock>,
    _own: File,
}

impl Kept {
    /// The host that was kept for the scenario with this `evidence`, in the cache `cache`.
    ///
    /// # Errors
    /// When none is kept, or what it stands on is gone or is another one by now.
    pub fn open(cache: &Utf8Path, evidence: &Utf8Path) -> Result<Self> {
        let Some(Pointer { kept }) = read(&evidence.join(NOTE)) else {
            return Err(Error::Machine(format!(
                "no host is kept for {evidence}; `run --keep` keeps those of scenarios that fail"
            )));
        };
        let gone = |why: String| {
            Error::Machine(format!(
                "the host kept for {evidence} can't be resumed: {why}; run its scenario again with --keep"
            ))
        };
        let removed = || {
            gone(format!(
                "it was removed to make room for later ones (at most {MOST} are kept, in {} GiB)",
                BYTES >> 30
            ))
        };
        let own = File::open(kept.join(OWNER)).map_err(|_| removed())?;
        flock(&own, FlockOperation::NonBlockingLockShared).map_err(|_| removed())?;
        let note: Note = read(&kept.join(NOTE)).ok_or_else(removed)?;
        if note.version != VERSION {
            return Err(gone("another version of the lab kept it".into()));
        }
        let qemu = identity::installed()?;
        if qemu != note.platform.qemu {
            return Err(gone(format!(
                "it ran under `{}`, and here is `{}`, or libraries of it were upgraded",
                note.platform.qemu.line, qemu.line
            )));
        }
        if note.below.last().map(|(key, _)| key) != Some(&note.platform.key()) {
            return Err(gone("it ran on another processor".into()));
        }
        for file in [&note.platform.root.file, &note.platform.kernel] {
            fs_err::metadata(file).map_err(|error| gone(format!("its image is gone: {error}")))?;
        }
        let layers = cache.join("layers");
        let locks = locked(&layers, &note.below)
            .map_err(|why| gone(format!("the layer {} under it {why}", note.layer)))?;
        let folders = note.below.iter().map(|(key, _)| layers.join(key.as_str()));
        let lab = folders.map(|dir| dir.join(LAB)).find(|lab| lab.exists());
        let key = note.below.first().map(|(key, _)| key.clone());
        let (Some(lab), Some(key)) = (lab, key) else {
            return Err(gone("its note names no layer".into()));
        };
        Ok(Self {
            dir: kept,
            platform: note.platform,
            key,
            lab,
            _locks: locks,
            _own: own,
        })
    }

    /// Resumes it, with its evidence in `evidence`. What is done to it now is not kept, so that it can be
    /// resumed again.
    ///
    /// # Errors
    /// When QEMU does not take its state.
    pub async fn host(&self, evidence: &Utf8Path) -> Result<Host> {
        let root = Disk {
            file: self.dir.join(DISK),
            format: "qcow2".into(),
            serial: self.platform.root.serial.clone(),
            writes: Writes::Dropped,
        };
        let lab = self.lab.clone();
        let spec = self.platform.machine(Memory::Anonymous, true, root, lab);
        let machine = self.platform.start(&spec, None, evidence).await?;
        let host = Host::new(machine, self.platform.accel, evidence)?;
        host.resume(
            &self.dir.join(STATE),
            SavedState::WithMemory,
            self.key.as_str(),
        )
        .await?;
        Ok(host)
    }
}

/// Shares in the layers of `below`, as far as they are the very builds named there and undamaged.
fn locked(layers: &Utf8Path, below: &[(Key, String)]) -> std::result::Result<Vec<Lock>, String> {
    let mut locks = vec![];
    for (at, (key, build)) in below.iter().enumerate() {
        let dir = layers.join(key.as_str());
        let lock = layers.join(format!("{key}.lock"));
        let lock = Lock::shared(&lock).ok_or("is gone, or is being built")?;
        let parent = below.get(at + 1).map(|(_, build)| build.as_str());
        let record = LayerRecord::check(&dir, key, parent).map_err(|error| match error {
            Error::Io(_) => "is gone".to_owned(),
            other => format!("is another one by now: {other}"),
        })?;
        if record.build != *build {
            return Err("was built again since".into());
        }
        let memo = layers.join(format!("{key}.checked"));
        checked::contents(&dir, &record, &memo).map_err(|error| format!("is damaged: {error}"))?;
        locks.push(lock);
    }
    Ok(locks)
}

#[cfg(test)]
#[path = "kept_tests.rs"]
mod tests;
