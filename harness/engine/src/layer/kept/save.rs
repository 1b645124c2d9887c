//! Keeping machines: all are stopped at one moment, written one after the other, and go on together.

use std::sync::Arc;

use camino::Utf8Path;
use rustix::fs::{FlockOperation, flock};

use super::{
    BYTES, MOST, MachineNote, NOTE, Note, OWNER, Origin, Pointer, SAVING, SAVING_PREFIX, VERSION,
    run,
    shelf::{self, KeptLab},
    write,
};
use crate::{
    layer::{
        built::Built,
        key::Key,
        record::{DISK, STATE},
        space,
    },
    util::error::{Error, Result},
    vm::host::Host,
};

/// A machine that is to be kept.
#[derive(Debug, Clone, Copy)]
pub struct Keeping<'a> {
    /// The machine, a clone.
    pub host: &'a Host,
    /// What it is a clone of.
    pub origin: &'a Origin,
}

/// Keeps `machines`, the clones of one scenario, as they are at this instant, and with them what `network` says once
/// none of them runs; they go on running. Returns whether they are kept: once this process has kept as many as there
/// may be, no more are.
///
/// # Errors
/// When they can't be saved. Nothing is left of them then.
pub async fn keep(
    machines: &[Keeping<'_>],
    evidence: &Utf8Path,
    network: impl Future<Output = Result<Option<serde_json::Value>>>,
) -> Result<bool> {
    let Some(first) = machines.first() else {
        return Ok(false);
    };
    let shelf = &first.origin.dir;
    fs_err::create_dir_all(shelf)?;
    let own = shelf::found(shelf)?.into_iter().filter(KeptLab::is_own);
    let (count, bytes) = own.fold((0, 0), |(count, bytes), kept| {
        (count + kept.machines.len(), bytes + kept.bytes)
    });
    let needed = space::HOST.saturating_mul(machines.len() as u64);
    if count + machines.len() > MOST || bytes + needed > BYTES {
        return Ok(false);
    }
    space::enough(shelf)?;
    let saving = tempfile::Builder::new()
        .prefix(SAVING_PREFIX)
        .tempdir_in(shelf)?;
    let dir = Utf8Path::from_path(saving.path())
        .ok_or_else(|| Error::Machine("the cache's path is not UTF-8".into()))?;
    // Held as long as it is being written: what has no note and no lock was left by a killed run.
    let lock = fs_err::File::create(dir.join(OWNER))?.into_parts().0;
    flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(std::io::Error::from)?;
    let network = saved(machines, dir, network).await?;
    let note = Note {
        version: VERSION,
        run: run().to_owned(),
        evidence: evidence.to_owned(),
        kept_at: jiff::Timestamp::now().as_second(),
        machines: machines.iter().map(noted).collect(),
        network,
    };
    write(&dir.join(NOTE), &note)?;
    let name = dir.file_name().unwrap_or_default();
    let kept = shelf.join(name.trim_start_matches(SAVING_PREFIX));
    fs_err::rename(dir, &kept)?;
    write(&evidence.join(NOTE), &Pointer { kept })?;
    drop(lock);
    shelf::make_room(shelf)?;
    Ok(true)
}

/// Stops `machines`, writes them into `dir`, and lets them run again, also after an error.
async fn saved(
    machines: &[Keeping<'_>],
    dir: &Utf8Path,
    network: impl Future<Output = Result<Option<serde_json::Value>>>,
) -> Result<Option<serde_json::Value>> {
    let save = async {
        for machine in machines {
            machine.host.stop().await?;
        }
        let network = network.await?;
        for machine in machines {
            let folder = dir.join(machine.host.name());
            fs_err::create_dir(&folder)?;
            let built = &machine.origin.built;
            let disk = folder.join(DISK);
            let root = built.platform.overlay(&built.disk(), &disk).await?;
            let state = folder.join(STATE);
            machine.host.save_whole(&state, &root.file, SAVING).await?;
        }
        Ok(network)
    };
    let mut result = save.await;
    for machine in machines {
        let on = machine.host.go_on().await;
        result = result.and_then(|network| on.map(|()| network));
    }
    result
}

fn noted(machine: &Keeping<'_>) -> MachineNote {
    let origin = machine.origin;
    MachineNote {
        name: machine.host.name().to_owned(),
        layer: origin.layer.clone(),
        below: below(&origin.built),
        platform: (*origin.built.platform).clone(),
    }
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
