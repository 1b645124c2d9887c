//! The tree of layers in the cache: what is there is used, what is missing is built, once.

use std::{
    fs::File,
    sync::Arc,
    time::{Duration, Instant},
};

use camino::{Utf8Path, Utf8PathBuf};

use super::{
    checked, disk,
    evict::{self, Bounds},
    key::Key,
    lock::{Lock, Right},
    platform::{LAB_DISK_MIB, Platform},
    record::{DISK, LAB, LayerRecord, RAM, STATE},
    saved::Layer,
    space, sparse,
};
use crate::{
    error::{Error, Result},
    event::Events,
    host::{Host, Stream},
    job::BoxFuture,
    qemu::{args::Memory, machine::Machine},
    verdict::{Broken, Outcome},
};

/// Longest wait for another process that builds the same layer.
const BUILDING: Duration = Duration::from_secs(1800);
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

/// What is done to a host before it is saved as a layer.
pub type Work = Box<dyn FnOnce(Arc<Host>) -> BoxFuture<Outcome> + Send>;

/// How a child of a layer is made.
pub struct Child<'a> {
    /// Its name.
    pub name: &'a str,
    /// What its key is made of besides its parent.
    pub made_of: Vec<(String, String)>,
    /// What else its record should say it was built with, such as the tool; no part of its key.
    pub built_with: Vec<(String, String)>,
    /// The lab disk of this layer and its children; the parent's if none.
    pub lab: Option<&'a Utf8Path>,
    /// What is done on the parent's clone.
    pub work: Work,
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
    pub async fn booted(&self) -> Result<Arc<Layer>, Broken> {
        let key = self.platform.key();
        let work: Work = Box::new(|host| {
            Box::pin(async move {
                // What still starts now would start again in every clone.
                host.execute("systemctl is-system-running --wait").await?;
                Ok(())
            })
        });
        let child = Child {
            name: "booted",
            made_of: vec![("image".into(), self.platform.image_id.clone())],
            built_with: vec![],
            lab: None,
            work,
        };
        self.layer(key, None, child).await
    }

    /// A child of `parent`.
    ///
    /// # Errors
    /// What the work on it comes to, or that it can't be saved.
    pub async fn child(&self, parent: &Arc<Layer>, child: Child<'_>) -> Result<Arc<Layer>, Broken> {
        let parts = child
            .made_of
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let key = parent
            .key
            .child([("layer", child.name)].into_iter().chain(parts));
        self.layer(key, Some(Arc::clone(parent)), child).await
    }

    async fn layer(
        &self,
        key: Key,
        parent: Option<Arc<Layer>>,
        child: Child<'_>,
    ) -> Result<Arc<Layer>, Broken> {
        let step = format!("layer {}", child.name);
        let name = child.name.to_owned();
        self.events
            .step(&step, async || {
                let dir = self.dir.join(key.as_str());
                let below = parent.as_ref().map(|parent| parent.build.as_str());
                let right = Lock::usable_or_exclusive(
                    &self.dir.join(format!("{key}.lock")),
                    BUILDING,
                    || self.check(&dir, &key, below).is_ok(),
                    || {
                        self.events
                            .progress(&step, "another process is building it; waiting");
                    },
                )
                .await?;
                let (lock, how) = match right {
                    Right::Usable(lock) => (lock, "reused"),
                    Right::ToBuild(lock) => {
                        let how = self.build_unless_there(&step, &key, &parent, child, &dir);
                        let how = how.await?;
                        (lock.share()?, how)
                    }
                };
                evict::touch(&self.dir.join(format!("{key}.lock")));
                let build = LayerRecord::check(&dir, &key, below)?.build;
                let lab = dir.join(LAB);
                let lab = match &parent {
                    Some(parent) if !lab.exists() => parent.lab.clone(),
                    _ => lab,
                };
                let layer = Layer {
                    name,
                    key: key.clone(),
                    build,
                    dir,
                    lab,
                    platform: Arc::clone(&self.platform),
                    _parent: parent,
                    _lock: lock,
                };
                Ok::<_, Broken>((Arc::new(layer), how.to_owned()))
            })
            .await
    }

    /// Whether the layer in `dir` can be used: its record, and what its files hold.
    fn check(&self, dir: &Utf8Path, key: &Key, below: Option<&str>) -> Result<()> {
        let record = LayerRecord::check(dir, key, below)?;
        checked::contents(dir, &record, &self.dir.join(format!("{key}.checked")))
    }

    async fn build_unless_there(
        &self,
        step: &str,
        key: &Key,
        parent: &Option<Arc<Layer>>,
        child: Child<'_>,
        dir: &Utf8Path,
    ) -> Result<&'static str, Broken> {
        let below = parent.as_ref().map(|parent| parent.build.as_str());
        let Err(why) = self.check(dir, key, below) else {
            return Ok("reused");
        };
        if dir.exists() {
            self.events.progress(step, format!("it is rebuilt: {why}"));
            fs_err::remove_dir_all(dir).map_err(Error::from)?;
        }
        self.build(key, parent.as_deref(), child, dir).await?;
        Ok("built")
    }

    /// Builds into a temporary folder of the cache and renames it at the end.
    async fn build(
        &self,
        key: &Key,
        parent: Option<&Layer>,
        child: Child<'_>,
        dir: &Utf8Path,
    ) -> Outcome {
        let begin = Instant::now();
        let building = self.dir.join(format!(".building-{key}"));
        // Under the lock: what is there was left by a builder that died.
        if building.exists() {
            fs_err::remove_dir_all(&building).map_err(Error::from)?;
        }
        fs_err::create_dir(&building).map_err(Error::from)?;
        space::enough(&self.dir)?;
        let evidence = self.evidence.join("layers").join(child.name);
        fs_err::create_dir_all(&evidence).map_err(Error::from)?;
        let made_of = child.made_of.clone();
        let mut built_with = self.built_with();
        built_with.extend(child.built_with.iter().cloned());
        let name = child.name.to_owned();
        let built = self
            .build_in(&building, key, parent, child, &evidence)
            .await;
        if let Err(broken) = built {
            let _ = fs_err::remove_dir_all(&building);
            return Err(broken);
        }
        let took = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        LayerRecord::of(
            &building,
            &name,
            key,
            parent.map(|parent| (parent.key.clone(), parent.build.clone())),
            &made_of,
            took,
        )?
        .built_with(built_with)
        .write(&building)?;
        fs_err::rename(&building, dir).map_err(Error::from)?;
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

    async fn build_in(
        &self,
        building: &Utf8Path,
        key: &Key,
        parent: Option<&Layer>,
        child: Child<'_>,
        evidence: &Utf8Path,
    ) -> Outcome {
        let lab = match (child.lab, parent) {
            (Some(lab), _) => {
                fs_err::copy(lab, building.join(LAB)).map_err(Error::from)?;
                building.join(LAB)
            }
            (None, Some(parent)) => parent.lab.clone(),
            (None, None) => {
                let empty = fs_err::File::create(building.join(LAB)).map_err(Error::from)?;
                empty.set_len(LAB_DISK_MIB << 20).map_err(Error::from)?;
                building.join(LAB)
            }
        };
        let step = format!("layer {}", child.name);
        let phase = |phase| self.events.phase(&step, phase);
        let (memory, backing) = match parent {
            None => (
                new_memory(&building.join(RAM), self.platform.memory_mib)?,
                self.platform.root.clone(),
            ),
            Some(parent) => {
                phase("copying memory");
                let (from, to) = (parent.dir.join(RAM), building.join(RAM));
                let copied = tokio::task::spawn_blocking(move || sparse::copy(&from, &to)).await;
                let copied =
                    copied.map_err(|error| Error::Machine(format!("copying memory: {error}")))?;
                (copied.map_err(Error::from)?, parent.disk())
            }
        };
        let root = disk::overlay(&backing, &building.join(DISK)).await?;
        let spec = self
            .platform
            .machine(Memory::Shared, parent.is_some(), root, lab);
        let machine = Machine::start(&spec, memory, evidence).await?;
        let host = Arc::new(Host::new(machine, self.platform.accel, evidence)?);
        match parent {
            None => {
                phase("booting");
                host.wait_for_boot().await?;
            }
            Some(parent) => {
                let state = parent.dir.join(STATE);
                host.resume(&state, Stream::WithoutMemory, &parent.key)
                    .await?;
            }
        }
        phase(match child.name {
            "booted" => "waiting for its services",
            "host" => "provisioning",
            "deployed" => "deploying",
            _ => "being changed",
        });
        (child.work)(Arc::clone(&host)).await?;
        phase("coming to rest");
        host.mark(key).await?;
        host.save(&building.join(STATE), Stream::WithoutMemory, MIGRATION)
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
