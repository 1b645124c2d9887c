//! Hosts kept as they were when their scenario did not pass, to be resumed and looked at.

use std::{sync::Arc, time::Duration};

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use super::{disk, key::Key, record::DISK, record::STATE, saved::Layer, stack::new_memory};
use crate::{
    error::{Error, Result},
    host::{Host, Stream},
    qemu::{
        args::{Memory, Writes},
        machine::Machine,
    },
};

/// File name of the note that says which layer a kept host stands on.
const NOTE: &str = "kept.json";

#[derive(Serialize, Deserialize)]
struct Note {
    layer: String,
    key: Key,
}

impl Layer {
    /// A clone whose disk is in `evidence`, so that it can be kept.
    ///
    /// # Errors
    /// As [`Layer::host`].
    pub async fn host_to_keep(&self, evidence: &Utf8Path) -> Result<Host> {
        let root = disk::overlay(&self.disk(), &evidence.join(DISK)).await?;
        self.clone_on(root, evidence).await
    }

    /// Keeps `host`, which [`Self::host_to_keep`] made with the same `evidence`, and ends it.
    ///
    /// # Errors
    /// When it can't be saved.
    pub async fn keep(&self, host: Host, evidence: &Utf8Path) -> Result<()> {
        let limit = Duration::from_secs(120);
        host.save(&evidence.join(STATE), Stream::WithMemory, limit)
            .await?;
        host.shut_down().await?;
        let note = Note {
            layer: self.name.clone(),
            key: self.key.clone(),
        };
        let text = serde_json::to_vec_pretty(&note).map_err(std::io::Error::from)?;
        Ok(fs_err::write(evidence.join(NOTE), text)?)
    }

    /// Throws the disk of [`Self::host_to_keep`] away.
    ///
    /// # Errors
    /// When it can't be removed.
    pub async fn let_go(&self, host: Host, evidence: &Utf8Path) -> Result<()> {
        host.shut_down().await?;
        Ok(fs_err::remove_file(evidence.join(DISK))?)
    }

    /// Resumes the host that was kept in `kept`, with its evidence in `evidence`. What is done to it
    /// now is not kept, so that it can be resumed again.
    ///
    /// # Errors
    /// When it stands on another layer, or QEMU does not take its state.
    pub async fn resume_kept(
        self: &Arc<Self>,
        kept: &Utf8Path,
        evidence: &Utf8Path,
    ) -> Result<Host> {
        let note = note(kept)?;
        if note.key != self.key {
            return Err(Error::Layer {
                name: note.layer,
                why: "the layer under the kept host is not the one that this build, image and machine make; it can't be resumed any more".into(),
            });
        }
        let mut root = self.disk();
        root.file = kept.join(DISK);
        root.writes = Writes::Dropped;
        let memory = new_memory(&evidence.join("ram"), self.platform.memory_mib)?;
        let spec = self
            .platform
            .machine(Memory::Shared, true, root, self.lab.clone());
        let machine = Machine::start(&spec, memory, evidence).await?;
        let host = Host::new(machine, self.platform.accel, evidence)?;
        host.resume(&kept.join(STATE), Stream::WithMemory, &self.key)
            .await?;
        Ok(host)
    }
}

/// Name of the layer that the host kept in `kept` stands on.
///
/// # Errors
/// When nothing is kept there.
pub fn layer_of(kept: &Utf8Path) -> Result<String> {
    Ok(note(kept)?.layer)
}

fn note(kept: &Utf8Path) -> Result<Note> {
    let path = kept.join(NOTE);
    let bytes = fs_err::read(&path).map_err(|_| {
        Error::Machine(format!(
            "no host is kept in {kept}; `spawnlab run --keep` keeps those of scenarios that do not pass"
        ))
    })?;
    serde_json::from_slice(&bytes).map_err(|error| Error::answer(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nothing_is_kept_the_option_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = layer_of(Utf8Path::from_path(dir.path()).unwrap()).unwrap_err();
        assert!(error.to_string().contains("--keep"), "{error}");
    }
}
