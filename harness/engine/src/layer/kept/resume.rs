//! Resuming what was kept.

use std::{
    fs::File,
    io::{Read as _, Write as _},
};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{FlockOperation, flock};
use serde::Deserialize;

use super::{BYTES, MOST, MachineNote, NOTE, Note, OWNER, Pointer, VERSION, read};
use crate::{
    layer::{
        checked,
        key::Key,
        lock::Lock,
        record::{DISK, LAB, LayerRecord, STATE},
    },
    util::error::{Error, Result},
    vm::{
        host::{Host, SavedState},
        qemu::{
            args::{Disk, MachineSpec, Memory, Uplink, Writes},
            identity,
        },
    },
};

/// Machines that were kept and can be resumed. While this exists, nobody removes what they stand on.
#[derive(Debug)]
pub struct Kept {
    dir: Utf8PathBuf,
    machines: Vec<KeptMachine>,
    network: Option<serde_json::Value>,
    _locks: Vec<Lock>,
    _own: File,
}

/// What each version of [`Note`] has.
#[derive(Debug, Deserialize)]
struct NoteVersion {
    version: u32,
}

#[derive(Debug)]
struct KeptMachine {
    note: MachineNote,
    key: Key,
    lab: Utf8PathBuf,
}

impl Kept {
    /// What was kept for the scenario with this `evidence`, in the cache `cache`. A host by itself may be resumed by
    /// several at once, each with a copy of its own; a lab of several machines is not, since whoever resumes it for a
    /// second of its machines would be in another lab than the first.
    ///
    /// # Errors
    /// When nothing is kept, when what it stands on is gone or is another one by now, and when somebody has resumed the
    /// lab.
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
        let own = fs_err::OpenOptions::new()
            .read(true)
            .write(true)
            .open(kept.join(OWNER));
        let mut own = own.map_err(|_| removed())?.into_parts().0;
        let version: NoteVersion = read(&kept.join(NOTE)).ok_or_else(removed)?;
        if version.version != VERSION {
            return Err(gone("another version of the lab kept it".into()));
        }
        let note: Note = read(&kept.join(NOTE)).ok_or_else(removed)?;
        match note.machines.as_slice() {
            [_] => flock(&own, FlockOperation::NonBlockingLockShared).map_err(|_| removed())?,
            _ => alone(&mut own, evidence)?,
        }
        // It may have been removed before it was locked.
        if !kept.join(NOTE).exists() {
            return Err(removed());
        }
        let qemu = identity::installed()?;
        let layers = cache.join("layers");
        let (mut machines, mut locks) = (vec![], vec![]);
        for note in note.machines {
            let of = |why: String| gone(format!("its machine {}: {why}", note.name));
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
                fs_err::metadata(file)
                    .map_err(|error| gone(format!("its image is gone: {error}")))?;
            }
            for file in [DISK, STATE] {
                let file = kept.join(&note.name).join(file);
                fs_err::metadata(&file).map_err(|_| of(format!("{file} is gone")))?;
            }
            let own = locked(&layers, &note.below)
                .map_err(|why| gone(format!("the layer {} under it {why}", note.layer)))?;
            locks.extend(own);
            let folders = note.below.iter().map(|(key, _)| layers.join(key.as_str()));
            let lab = folders.map(|dir| dir.join(LAB)).find(|lab| lab.exists());
            let key = note.below.first().map(|(key, _)| key.clone());
            let (Some(lab), Some(key)) = (lab, key) else {
                return Err(of("its note names no layer".into()));
            };
            machines.push(KeptMachine { note, key, lab });
        }
        Ok(Self {
            dir: kept,
            machines,
            network: note.network,
            _locks: locks,
            _own: own,
        })
    }

    /// The machines' names with those of their layers, in the order of the scenario's declaration.
    pub fn machines(&self) -> impl Iterator<Item = (&str, &str)> {
        let machines = self.machines.iter();
        machines.map(|it| (it.note.name.as_str(), it.note.layer.as_str()))
    }

    /// The network between the machines as it was; absent where there is one machine.
    #[must_use]
    pub fn network(&self) -> Option<&serde_json::Value> {
        self.network.as_ref()
    }

    /// Loads the machine `name` into a QEMU, in the network of `uplink` if it was in one. It stands still. What is done to it is not kept, so that it can be resumed again.
    ///
    /// # Errors
    /// When there is no such machine, and when QEMU does not take its state.
    pub async fn loaded(
        &self,
        name: &str,
        uplink: Option<Uplink>,
        evidence: &Utf8Path,
    ) -> Result<Host> {
        let KeptMachine { note, lab, .. } = self.machine(name)?;
        let folder = self.dir.join(&note.name);
        let platform = &note.platform;
        let root = Disk {
            file: folder.join(DISK),
            format: "qcow2".into(),
            serial: platform.root.serial.clone(),
            writes: Writes::Dropped,
        };
        let spec = platform.machine(Memory::Anonymous, true, root, lab.clone());
        let spec = MachineSpec { uplink, ..spec };
        let machine = platform.start(&spec, None, evidence).await?;
        let host = Host::new(machine, platform.accel, evidence)?;
        host.load(&folder.join(STATE), SavedState::WithMemory)
            .await?;
        Ok(host)
    }

    /// Sets the clock of `host`, which is the [loaded](Self::loaded) machine `name` and runs by now.
    ///
    /// # Errors
    /// When it does not answer as the one that was kept.
    pub async fn awake(&self, name: &str, host: &Host) -> Result<()> {
        let machine = self.machine(name)?;
        host.awake(machine.key.as_str()).await
    }

    fn machine(&self, name: &str) -> Result<&KeptMachine> {
        let mut machines = self.machines.iter();
        machines
            .find(|machine| machine.note.name == name)
            .ok_or_else(|| Error::Given(format!("no machine {name} was kept")))
    }
}

/// Locks `own`, the owner's file of a lab of several machines, for this process alone.
fn alone(own: &mut File, evidence: &Utf8Path) -> Result<()> {
    if flock(&*own, FlockOperation::NonBlockingLockExclusive).is_err() {
        let mut process = String::new();
        let _ = own.read_to_string(&mut process);
        let who = match process.trim() {
            "" => "another process".to_owned(),
            process => format!("the process {process}"),
        };
        return Err(Error::Given(format!(
            "the lab kept for {evidence} is resumed already, by {who}; end that one first, since a second one would be a lab of its own"
        )));
    }
    own.set_len(0)?;
    own.write_all(std::process::id().to_string().as_bytes())?;
    Ok(())
}

/// Shares in the layers of `below`, as far as they are the very builds named there and undamaged.
pub(super) fn locked(
    layers: &Utf8Path,
    below: &[(Key, String)],
) -> std::result::Result<Vec<Lock>, String> {
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
