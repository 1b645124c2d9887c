//! Opening a session: from a configuration to layers.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    sync::Arc,
};

use camino::{Utf8Path, Utf8PathBuf};

use super::{
    applied::applied,
    deployed::deployed,
    files,
    inputs::inputs,
    layers::Layers,
    provisioned::{platform, provisioned},
    refused::Leases,
    retry::retried,
};
#[cfg(test)]
use crate::vm::qemu::args::Accel;
use crate::{
    image::{Cache, Image, Manifest},
    layer::{
        kept,
        labdisk::{self, LabFile},
        stack::Stack,
    },
    run::{
        config::{RunConfig, Target},
        selection::Selected,
        target::{
            choice::{self, ImageChoice},
            guest::Guest,
            programs::LabProgram,
        },
    },
    scenario::{Base, Scenario, adapter::GivenTool, capability},
    util::{
        error::{Error, Result},
        scratch::{self, Scratch},
    },
    verdict::{
        ScenarioError,
        event::{Environment, Event, Events},
    },
    vm::slots::{Bound, Slots},
};

/// An opened lab, which takes clones of its layers.
#[derive(Debug)]
pub struct Session {
    pub(super) config: RunConfig,
    pub(super) environment: Environment,
    /// That of the image.
    pub(super) manifest: Manifest,
    pub(super) layers: Layers,
    timeout_factor: u32,
    image: Utf8PathBuf,
    cache: Utf8PathBuf,
    /// Why these hosts can do nothing of what is tested; then there are no layers.
    obstacle: Option<String>,
    // Holds the lab disk: a layer whose files vanish is built again.
    _scratch: Option<Scratch>,
}

/// What of the environment is told besides what everybody asks for.
#[derive(Debug, Clone, Copy)]
enum Told {
    /// Nothing: nobody compares what comes out.
    Versions,
    /// The digest of all inputs, for which the program itself is read.
    Inputs,
}

/// The programs of a run that go onto the lab disk.
#[derive(Debug)]
pub(super) struct LabPrograms {
    /// The deploy tool under test.
    pub(super) tool: LabProgram,
    /// The lab's own agent; without it qemu-ga serves.
    pub(super) agent: Option<LabProgram>,
}

/// The cache of the user who runs this.
///
/// # Errors
/// It can't be made or used.
pub fn cache() -> Result<Cache> {
    Cache::open().map_err(choice::error)
}

impl Session {
    /// Finds (or builds) the image, proves the accelerator, sends [`Event::EnvironmentKnown`], and makes the layers
    /// that `selected` start from. Evidence of the layers goes below `dir`.
    ///
    /// # Errors
    /// Those of [`Self::open`].
    pub async fn for_selected(
        config: RunConfig,
        selected: &[Selected],
        dir: &Utf8Path,
        events: &Events,
    ) -> Result<Arc<Self>> {
        let mut needed = vec![];
        for one in selected {
            needed.extend(one.scenario.bases());
            needed.extend(one.spared.map(Scenario::bases).unwrap_or_default());
        }
        Box::pin(opened(config, &needed, Told::Inputs, dir, events))
            .await
            .map(Arc::new)
    }

    /// The same for the bases of `needed`.
    ///
    /// A base that can't be had because the tool failed is a finding about the tool: it becomes
    /// the verdict of the scenarios that need it.
    ///
    /// # Errors
    /// What keeps every scenario from being run: no usable QEMU, image, accelerator or host.
    pub async fn open(
        config: RunConfig,
        needed: &[Base],
        dir: &Utf8Path,
        events: &Events,
    ) -> Result<Arc<Self>> {
        Box::pin(opened(config, needed, Told::Versions, dir, events))
            .await
            .map(Arc::new)
    }

    /// The clones that this machine carries at once, whoever runs them: one a processor, as far as
    /// there is memory for them; or `jobs` of this process, whatever else runs.
    ///
    /// # Errors
    /// When the cache can't be written.
    pub fn slots(&self, jobs: Option<NonZeroUsize>) -> Result<Slots> {
        let processors = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let bound = match jobs {
            Some(_) => Bound::None,
            None => Bound::Machine { processors },
        };
        Slots::open(&self.cache, bound)
    }

    /// By how much limits grow on this platform against one with KVM.
    #[must_use]
    pub fn timeout_factor(&self) -> u32 {
        self.timeout_factor
    }

    /// What scenarios run on, for reports.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The folder of the image that all of its hosts are of.
    #[must_use]
    pub fn image(&self) -> &Utf8Path {
        &self.image
    }

    /// Why nothing can be run on these hosts, if nothing can.
    #[must_use]
    pub fn obstacle(&self) -> Option<&str> {
        self.obstacle.as_deref()
    }
}

async fn opened(
    config: RunConfig,
    needed: &[Base],
    told: Told,
    dir: &Utf8Path,
    events: &Events,
) -> Result<Session> {
    let cache = cache()?;
    scratch::sweep()?;
    scratch::sweep_under(&cache.root().join("scratch"))?;
    kept::sweep(cache.root())?;
    let target = &config.target;
    let programs = LabPrograms {
        tool: match &target.tool {
            Some(tool) => LabProgram::from(tool.clone()),
            None => target.own.own_tool()?,
        },
        agent: target.own.own_agent()?,
    };
    // A NixOS host's containers are part of its system.
    let image = ImageChoice::read(&target.image, &target.declared(), cache.root())?;
    let image = image.image(&cache, events).await?;
    if let Some(GivenTool::Adapted(adapted)) = &target.tool {
        let table = image.dir().join(&image.manifest().provenance.packages);
        if let Some(why) = adapted.lacks(&fs_err::read_to_string(table)?) {
            return Err(Error::Given(why));
        }
    }
    let guest = Guest::choose(&image, target.guest.as_deref(), &cache, events).await?;
    let (platform, mut environment) =
        platform(&image, &guest, (target, &programs.tool), cache.root()).await?;
    let files = files::lab_files(&target.declared(), &programs)?;
    if let Told::Inputs = told {
        environment.inputs = Some(inputs(&environment, &files, &config)?);
    }
    events.send(Event::EnvironmentKnown(environment.clone()));
    let obstacle = obstacle(target, image.manifest());
    let mut session = Session {
        timeout_factor: platform.accel.timeout_factor(),
        environment,
        manifest: image.manifest().clone(),
        image: image.dir().to_owned(),
        cache: cache.root().to_owned(),
        layers: Layers::default(),
        _scratch: None,
        obstacle,
        config,
    };
    if session.obstacle.is_some() {
        return Ok(session);
    }
    let stack = Stack::open(cache.root(), platform, events.clone(), dir)?;
    session
        .make(&stack, &image, guest, (&programs, files), needed)
        .await?;
    Ok(session)
}

impl Session {
    /// Makes the layers of `needed`.
    async fn make(
        &mut self,
        stack: &Stack,
        image: &Image,
        guest: Guest,
        (programs, mut files): (&LabPrograms, Vec<LabFile>),
        needed: &[Base],
    ) -> Result<()> {
        let (target, policy) = (&self.config.target, &self.config.policy);
        files.extend(guest.files()?);
        // Swept by a later run if this one is killed.
        let scratch = Scratch::new()?;
        let disk = labdisk::make(&files, scratch.path()).await?;
        self._scratch = Some(scratch);

        let booted = stack.booted().await.map_err(error)?;
        let host = provisioned(stack, &booted, &disk, image.manifest(), (target, programs));
        let host = host.await.map_err(error)?;
        self.layers.booted = Some(booted);
        if needed.contains(&Base::Deployed) {
            let leases = match target.image.own_firewall {
                true => Leases::MayBeRefused,
                false => Leases::Needed,
            };
            let layer = retried(policy.attempts.get(), async || {
                deployed(stack, &host, &programs.tool, &target.fixture, leases).await
            });
            self.layers.of.insert(Base::Deployed, vec![layer.await]);
        }
        self.layers.of.insert(Base::Host, vec![Ok(host)]);
        for base in [Base::Host, Base::Deployed] {
            if needed.contains(&base) {
                self.apply_settings(stack, base).await;
            }
        }
        Ok(())
    }

    /// Has scenarios on `base` start from layers on top of it with the settings applied. A base that could not be
    /// made stays what it is.
    async fn apply_settings(&mut self, stack: &Stack, base: Base) {
        let policy = &self.config.policy;
        let starts = match base {
            Base::Deployed => policy.starts,
            Base::Host => NonZeroU32::MIN,
        };
        let containers = self.config.target.fixture.containers();
        let settings = &self.config.target.settings;
        let plain = match self.layers.of.get(&base).map(Vec::as_slice) {
            Some([Ok(plain)]) if !settings.is_empty() => Arc::clone(plain),
            _ => return,
        };
        let mut changed = vec![];
        for start in 1..=starts.get() {
            let mut layer = Ok(Arc::clone(&plain));
            for setting in settings {
                let Ok(below) = &layer else { break };
                layer = retried(policy.attempts.get(), async || {
                    applied(setting, stack, base, (below, start), &containers).await
                })
                .await;
            }
            let failed = layer.is_err();
            changed.push(layer);
            // What can't be made each time can't be made the next time, too.
            if failed {
                break;
            }
        }
        self.layers.of.insert(base, changed);
    }
}

/// Why nothing can be tested on hosts of `target` that are made of the image `manifest`, if nothing can.
fn obstacle(target: &Target, manifest: &Manifest) -> Option<String> {
    let unfit = target.unfit_setting(manifest);
    unfit.or_else(|| capability::obstacle(manifest, &target.promises))
}

#[cfg(test)]
impl Session {
    /// One whose hosts are all clones of `layer`, on inputs that are the same each time.
    pub(crate) fn scripted_on(
        layer: &Arc<crate::layer::saved::Layer>,
        config: RunConfig,
    ) -> Arc<Self> {
        let layers = Layers {
            booted: None,
            of: std::collections::BTreeMap::from([(Base::Host, vec![Ok(Arc::clone(layer))])]),
        };
        let mut session = Self::scripted(config, crate::image::manifest_sample(), layers);
        if let Some(session) = Arc::get_mut(&mut session) {
            session.environment.inputs = Some("the same".to_owned());
        }
        session
    }

    /// One with `layers`, on emulated hosts of an image that `manifest` describes.
    pub(super) fn scripted(config: RunConfig, manifest: Manifest, layers: Layers) -> Arc<Self> {
        Arc::new(Self {
            obstacle: obstacle(&config.target, &manifest),
            environment: Environment::default(),
            manifest,
            layers,
            timeout_factor: Accel::Tcg.timeout_factor(),
            image: "/nowhere".into(),
            cache: "/nowhere".into(),
            _scratch: None,
            config,
        })
    }
}

fn error(broken: ScenarioError) -> Error {
    match broken {
        ScenarioError::Infrastructure(error) => error,
        ScenarioError::TimedOut(timeout) => timeout.into(),
        other => Error::Layer {
            name: "host".into(),
            why: other.to_string(),
        },
    }
}
