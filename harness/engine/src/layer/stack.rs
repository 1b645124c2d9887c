//! The tree of layers in the cache: what is there is used, what is missing is built, once.

use std::{
    fmt,
    fs::File,
    sync::Arc,
    time::{Duration, Instant},
};

use camino::{Utf8Path, Utf8PathBuf};

use super::{
    built::Built,
    checked::{self, Checked},
    evict::{self, Bounds, Building},
    key::Key,
    lock::{Lock, Right},
    platform::{LAB_DISK_MIB, Platform},
    recipe::{LayerRecipe, Work},
    record::{DISK, LAB, LayerRecord, RAM, STATE},
    saved::Layer,
    space, sparse,
};
use crate::{
    util::error::{Error, Result},
    verdict::{Outcome, ScenarioError, event::Events},
    vm::{
        host::{Host, SavedState},
        qemu::args::{Disk, Memory},
    },
};

/// Longest wait for another process that builds the same layer.
const BUILDING: Duration = Duration::from_secs(1800);
/// Longest time until a booted host has nothing left to start, with KVM. A machine that builds for
/// several people at once is slow.
const SETTLING: Duration = Duration::from_secs(180);
/// Longest wait for a state to be written or read.
const MIGRATION: Duration = Duration::from_secs(120);

/// The layers of one platform.
#[derive(Debug, Clone)]
pub struct Stack {
    dir: Utf8PathBuf,
    platform: Arc<Platform>,
    events: Events,
    evidence: Utf8PathBuf,
}

/// Why a layer is not there.
#[derive(Debug)]
pub(super) enum BuildError {
    /// Somebody removed what is needed for it, or itself: it is worth another try.
    Removed(ScenarioError),
    /// Anything else.
    ScenarioError(ScenarioError),
}

impl From<Error> for BuildError {
    fn from(error: Error) -> Self {
        let gone =
            matches!(&error, Error::Io(error) if error.kind() == std::io::ErrorKind::NotFound);
        match gone {
            true => Self::Removed(error.into()),
            false => Self::ScenarioError(error.into()),
        }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Removed(broken) => write!(f, "somebody removes layers: {broken}"),
            Self::ScenarioError(broken) => broken.fmt(f),
        }
    }
}

impl Stack {
    /// The layers under `cache/layers`; builds leave their evidence under `evidence`.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub fn open(
        cache: &Utf8Path,
        platform: Platform,
        events: Events,
        evidence: &Utf8Path,
    ) -> Result<Self> {
        let dir = cache.join("layers");
        fs_err::create_dir_all(&dir)?;
        evict::evict(&dir, Bounds::default())?;
        Ok(Self {
            dir,
            platform: Arc::new(platform),
            events,
            evidence: evidence.to_owned(),
        })
    }

    /// The platform.
    #[must_use]
    pub fn platform(&self) -> &Arc<Platform> {
        &self.platform
    }

    /// The image, booted, with nothing of the lab in it.
    ///
    /// # Errors
    /// When it does not boot or can't be saved.
    pub async fn booted(&self) -> Result<Arc<Layer>, ScenarioError> {
        let work: Work = Arc::new(|host| {
            Box::pin(async move {
                // What still starts now would start again in every clone.
                let wait = "systemctl is-system-running --wait";
                host.execute_with(wait, b"", SETTLING).await?;
                Ok(())
            })
        });
        let recipe = LayerRecipe {
            name: "booted".into(),
            made_of: vec![("image".into(), self.platform.image_id.clone())],
            built_with: vec![],
            lab: None,
            work,
        };
        self.layer(self.platform.key(), recipe, None).await
    }

    /// A child of `parent`.
    ///
    /// # Errors
    /// What the work on it comes to, or that it can't be saved.
    pub async fn child(
        &self,
        parent: &Arc<Layer>,
        recipe: LayerRecipe,
    ) -> Result<Arc<Layer>, ScenarioError> {
        let parts = recipe
            .made_of
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let name = [("layer", recipe.name.as_str())];
        let key = parent.key().child(name.into_iter().chain(parts));
        self.layer(key, recipe, Some(Arc::clone(parent))).await
    }

    async fn layer(
        &self,
        key: Key,
        recipe: LayerRecipe,
        parent: Option<Arc<Layer>>,
    ) -> Result<Arc<Layer>, ScenarioError> {
        let layer = Layer::new(key, recipe, self.clone(), parent);
        layer.built().await?;
        Ok(layer)
    }

    /// Says `message` of the layer `name`.
    pub(super) fn tell(&self, name: &str, message: String) {
        self.events.progress(&format!("layer {name}"), message);
    }

    /// The files of the layer `key`, on `parent`: those that are there, or new ones.
    ///
    /// # Errors
    /// What the work on it comes to, or that it can't be saved.
    pub(super) async fn build_or_reuse(
        &self,
        key: &Key,
        recipe: &LayerRecipe,
        parent: Option<Arc<Built>>,
    ) -> Result<Arc<Built>, BuildError> {
        let step = format!("layer {}", recipe.name);
        self.events
            .step(&step, async || {
                let (lock, how) = self.used_or_built(key, recipe, parent.as_deref()).await?;
                let dir = self.dir.join(key.as_str());
                // It may have been removed again, by somebody who did not ask for its lock.
                let found = self.check(&dir, key, parent.as_deref());
                let (record, checked) = found.map_err(|error| BuildError::Removed(error.into()))?;
                evict::touch(&self.lock(key));
                let lab = match (&parent, dir.join(LAB)) {
                    (Some(parent), own) if !own.exists() => parent.lab.clone(),
                    (_, own) => own,
                };
                let built = Built {
                    key: key.clone(),
                    id: record.build,
                    dir,
                    lab,
                    platform: Arc::clone(&self.platform),
                    checked,
                    parent,
                    _lock: lock,
                };
                Ok((Arc::new(built), how.to_owned()))
            })
            .await
    }

    /// Where hosts of failed scenarios are kept.
    pub(super) fn kept(&self) -> Utf8PathBuf {
        self.dir.with_file_name("kept")
    }

    /// Where files go that live as long as a clone, and are too large for memory.
    pub(super) fn scratch(&self) -> Utf8PathBuf {
        self.dir.with_file_name("scratch")
    }

    fn lock(&self, key: &Key) -> Utf8PathBuf {
        self.dir.join(format!("{key}.lock"))
    }

    async fn used_or_built(
        &self,
        key: &Key,
        recipe: &LayerRecipe,
        parent: Option<&Built>,
    ) -> Result<(Lock, &'static str), BuildError> {
        let dir = self.dir.join(key.as_str());
        let right = Lock::usable_or_exclusive(
            &self.lock(key),
            BUILDING,
            || self.check(&dir, key, parent).is_ok(),
            || {
                let waits = "another process is building it; waiting";
                self.tell(&recipe.name, waits.into());
            },
        )
        .await?;
        let lock = match right {
            Right::Usable(lock) => return Ok((lock, "reused")),
            Right::ToBuild(lock) => lock,
        };
        let Err(why) = self.check(&dir, key, parent) else {
            return Ok((lock.share()?, "reused"));
        };
        if dir.exists() {
            self.tell(&recipe.name, format!("it is rebuilt: {why}"));
            fs_err::remove_dir_all(&dir).map_err(Error::from)?;
        }
        self.build(key, parent, recipe, &dir).await?;
        let lock = lock.share()?;
        // Here and not only at the start: who builds for long must not fill the disk meanwhile.
        if let Err(error) = evict::evict(&self.dir, Bounds::default()) {
            tracing::warn!(%error, "layers beyond the bounds are left where they are");
        }
        Ok((lock, "built"))
    }

    /// The layer in `dir`, if it can be used: its record, and what its files hold.
    fn check(
        &self,
        dir: &Utf8Path,
        key: &Key,
        parent: Option<&Built>,
    ) -> Result<(LayerRecord, Checked)> {
        let record = LayerRecord::check(dir, key, parent.map(|parent| parent.id.as_str()))?;
        if record.backing != self.backing(parent).file {
            return Err(Error::Layer {
                name: key.short().to_owned(),
                why: "the cache or the image was moved since".into(),
            });
        }
        let memo = self.dir.join(format!("{key}.checked"));
        let checked = checked::contents(dir, &record, &memo)?;
        Ok((record, checked))
    }

    /// What the disk of a child of `parent` is an overlay over.
    fn backing(&self, parent: Option<&Built>) -> Disk {
        parent.map_or_else(|| self.platform.root.clone(), Built::disk)
    }

    /// Builds into a temporary folder of the cache and renames it at the end. Nothing of what failed
    /// stays there.
    async fn build(
        &self,
        key: &Key,
        parent: Option<&Built>,
        recipe: &LayerRecipe,
        dir: &Utf8Path,
    ) -> Result<(), BuildError> {
        evict::remove_half_built(dir)?;
        space::enough(&self.dir)?;
        let building = Building::new(dir)?;
        let built = self.build_in(&building.dir, key, parent, recipe).await;
        let broken = match built
            .and_then(|()| Ok(fs_err::rename(&building.dir, dir).map_err(Error::from)?))
        {
            Ok(()) => return Ok(()),
            Err(broken) => broken,
        };
        // Where another one's layer is by now, the lock was removed, and who came next got another one.
        let removed = !building.dir.exists() || dir.exists();
        let removed = removed || parent.is_some_and(|parent| !parent.holds());
        let broken = space::blamed(&self.dir, broken);
        Err(if removed {
            BuildError::Removed(broken)
        } else {
            BuildError::ScenarioError(broken)
        })
    }

    async fn build_in(
        &self,
        building: &Utf8Path,
        key: &Key,
        parent: Option<&Built>,
        recipe: &LayerRecipe,
    ) -> Outcome {
        let begin = Instant::now();
        let evidence = self.evidence.join("layers").join(&recipe.name);
        fs_err::create_dir_all(&evidence).map_err(Error::from)?;
        self.save_in(building, key, parent, recipe, &evidence)
            .await?;
        let took = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut built_with = self.built_with();
        built_with.extend(recipe.built_with.iter().cloned());
        LayerRecord::of(
            building,
            &recipe.name,
            key,
            parent.map(|parent| (parent.key.clone(), parent.id.clone())),
            &recipe.made_of,
            took,
        )?
        .built_with(built_with)
        .backed_by(self.backing(parent).file)
        .write(building)?;
        Ok(())
    }

    fn built_with(&self) -> Vec<(String, String)> {
        let platform = &self.platform;
        [
            ("image", platform.image_id.as_str()),
            ("accelerator", platform.accel.name()),
            ("qemu", &platform.qemu.line),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    /// Has the work of `recipe` done on a host and saves that one.
    async fn save_in(
        &self,
        building: &Utf8Path,
        key: &Key,
        parent: Option<&Built>,
        recipe: &LayerRecipe,
        evidence: &Utf8Path,
    ) -> Outcome {
        let lab = match (&recipe.lab, parent) {
            (Some(lab), _) => {
                sparse::copy(lab, &building.join(LAB)).map_err(Error::from)?;
                building.join(LAB)
            }
            (None, Some(parent)) => parent.lab.clone(),
            (None, None) => {
                let empty = fs_err::File::create(building.join(LAB)).map_err(Error::from)?;
                empty.set_len(LAB_DISK_MIB << 20).map_err(Error::from)?;
                building.join(LAB)
            }
        };
        let step = format!("layer {}", recipe.name);
        let phase = |phase| self.events.phase(&step, phase);
        let memory = match parent {
            None => new_memory(&building.join(RAM), self.platform.memory_mib)?,
            Some(parent) => {
                phase("copying memory");
                let (from, to) = (parent.dir.join(RAM), building.join(RAM));
                let copied = tokio::task::spawn_blocking(move || sparse::copy(&from, &to)).await;
                let copied =
                    copied.map_err(|error| Error::Machine(format!("copying memory: {error}")))?;
                copied.map_err(Error::from)?
            }
        };
        let root = self
            .platform
            .overlay(&self.backing(parent), &building.join(DISK))
            .await?;
        let spec = self
            .platform
            .machine(Memory::Shared, parent.is_some(), root, lab);
        let machine = self.platform.start(&spec, memory, evidence).await?;
        let host = Arc::new(Host::new(machine, self.platform.accel, evidence)?);
        match parent {
            None => {
                phase("booting");
                host.wait_for_boot().await?;
            }
            Some(parent) => {
                let state = parent.dir.join(STATE);
                host.resume(&state, SavedState::WithoutMemory, parent.key.as_str())
                    .await?;
            }
        }
        phase(match recipe.name.as_str() {
            "booted" => "waiting for its services",
            "host" => "provisioning",
            "deployed" => "deploying",
            _ => "being changed",
        });
        (recipe.work)(Arc::clone(&host)).await?;
        phase("coming to rest");
        host.mark(key.as_str()).await?;
        host.save(&building.join(STATE), SavedState::WithoutMemory, MIGRATION)
            .await?;
        if let Some(host) = Arc::into_inner(host) {
            host.shut_down().await?;
        }
        Ok(())
    }
}

pub(super) fn new_memory(file: &Utf8Path, mib: u32) -> Result<File> {
    let file = fs_err::OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(file)?;
    file.set_len(u64::from(mib) << 20)?;
    Ok(file.into_parts().0)
}

#[cfg(test)]
mod tests;
