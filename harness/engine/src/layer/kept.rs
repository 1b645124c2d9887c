//! Machines kept as they were when their scenario failed, to be resumed and looked at: a host by itself, or all those of
//! a lab with what was in flight between them.
//!
//! They are in the cache, within bounds of their own; the scenario's evidence says which are its.

mod resume;
mod save;
mod shelf;

use std::{sync::Arc, sync::OnceLock, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::{built::Built, key::Key, platform::Platform};
use crate::{
    util::error::Result,
    vm::{host::Host, slots},
};

pub use resume::Kept;
pub use save::{Keeping, keep};
pub use shelf::{KeptLab, list, sweep};

/// Version of [`Note`].
const VERSION: u32 = 3;
/// In the folder of what is kept: what it stands on. In the evidence: where that folder is.
pub const NOTE: &str = "kept.json";
/// How many machines are kept at most.
pub const MOST: usize = 8;
/// How many bytes they take at most, all together.
pub const BYTES: u64 = 4 << 30;
/// Longest time for a machine to be written.
const SAVING: Duration = Duration::from_secs(120);
/// In the folder of what is kept: locked as long as somebody writes or resumes it. Who resumes a lab writes its process
/// id into it.
const OWNER: &str = "owner";
/// How the names of folders begin that are being written.
const SAVING_PREFIX: &str = ".saving-";

/// What was kept. Written last: a folder without it holds nothing.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    version: u32,
    /// The process that kept it; its own are the last ones that it removes.
    run: String,
    evidence: Utf8PathBuf,
    kept_at: i64,
    /// In the order of the scenario's declaration; each has a folder of its name.
    machines: Vec<MachineNote>,
    /// The network between them as it was, as the folder `network` of the sources has it.
    network: Option<serde_json::Value>,
}

/// What a kept machine stands on.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct MachineNote {
    name: String,
    /// Name of the layer that it is a clone of.
    layer: String,
    /// Key and build of that layer, of its parent, and so on.
    below: Vec<(Key, String)>,
    platform: Platform,
}

/// In the evidence: where it is.
#[derive(Debug, Serialize, Deserialize)]
struct Pointer {
    kept: Utf8PathBuf,
}

/// The files that a clone was started on.
#[derive(Debug)]
pub struct Origin {
    pub(super) built: Arc<Built>,
    pub(super) layer: String,
    /// The folder of everything that is kept.
    pub(super) dir: Utf8PathBuf,
}

impl Origin {
    /// Notes how much memory `host`, a clone of this origin, has taken in its life: the next ones are
    /// admitted by that.
    pub fn measured(&self, host: &Host) {
        if let Some(cache) = self.dir.parent() {
            slots::note(cache, host.machine().pid());
        }
    }
}

/// What tells this process from others, also from those that had its id before.
fn run() -> &'static str {
    static RUN: OnceLock<String> = OnceLock::new();
    RUN.get_or_init(|| {
        let began = jiff::Timestamp::now().as_millisecond();
        format!("{}-{began}", std::process::id())
    })
}

fn write(path: &Utf8Path, what: &impl Serialize) -> Result<()> {
    let text = serde_json::to_vec_pretty(what).map_err(std::io::Error::from)?;
    Ok(fs_err::write(path, text)?)
}

fn read<T: for<'a> Deserialize<'a>>(path: &Utf8Path) -> Option<T> {
    serde_json::from_slice(&fs_err::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests;
