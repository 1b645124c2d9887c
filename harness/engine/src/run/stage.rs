//! From options to layers: the image, the platform, and the hosts that scenarios start from.
//!
//! Nothing here knows what is tested: that is a [`Subject`], a tool, and what it promises.

pub mod choice;
pub mod declarations;
mod deployed;
mod files;
pub mod flake;
pub mod guest;
mod made;
pub mod programs;
pub mod refused;

use std::{collections::BTreeMap, num::NonZeroU32, sync::Arc, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};

use self::{
    choice::ImageChoice,
    declarations::Declarations,
    deployed::{deployed, tool},
    guest::Guest,
    made::{Made, made},
    refused::Leases,
};
use crate::{
    image::{Cache, Image, Manifest},
    layer::{
        labdisk::{self, LabDisk},
        platform::Platform,
        recipe::Recipe as LayerRecipe,
        saved::Layer,
        stack::Stack,
    },
    scenario::{Base, Guarantee, Surrounding, capability, expect::expect, subject::Subject},
    util::{
        error::{Error, Result},
        scratch::Scratch,
    },
    verdict::{
        Broken, Outcome, Verdict,
        event::{Environment, Event, Events},
    },
    vm::{
        host::Host,
        qemu::{
            accel::{self, Choice},
            identity,
        },
    },
};

/// What to run on, and with which tool.
#[derive(Debug, Clone)]
pub struct StageOptions {
    /// What hosts are provisioned with, and what is deployed.
    pub subject: Subject,
    /// The image.
    pub image: ImageChoice,
    /// The Debian suite that guests are made of; the image's own if there is none.
    pub guest: Option<String>,
    /// The accelerator.
    pub accel: Choice,
    /// The tool under test.
    pub tool: Utf8PathBuf,
    /// What it promises.
    pub promises: Vec<Guarantee>,
    /// Whether deployed containers have to have leases.
    pub leases: Leases,
    /// Container declarations in place of the lab's own.
    pub host: Option<Declarations>,
    /// How often each layer is tried to be made before its failure is a finding.
    pub attempts: NonZeroU32,
    /// The lab's own agent; without it qemu-ga serves.
    pub agent: Option<Utf8PathBuf>,
    /// What hosts are given on top of what the image makes of them.
    pub given: Vec<Surrounding>,
    /// What else the user chose, for reports: by its name on the command line.
    pub variables: BTreeMap<String, String>,
}

/// The layers that scenarios start from.
#[derive(Debug)]
pub struct Stage {
    patience: u32,
    environment: Environment,
    /// That of the image.
    manifest: Manifest,
    /// Why these hosts can do nothing of what is tested; then there are no layers.
    obstacle: Option<String>,
    booted: Option<Arc<Layer>>,
    /// What further layers are made with; none where there are no layers.
    stack: Option<Stack>,
    attempts: NonZeroU32,
    /// One each, or what [`Stage::change`] made of it.
    layers: BTreeMap<Base, Vec<Made>>,
    // Holds the lab disk: a layer whose files vanish is built again.
    _scratch: Option<Scratch>,
}

impl Stage {
    /// Prepares every base of `needed`, building what the cache does not hold.
    ///
    /// A base that can't be had because the tool failed is a finding about the tool: it becomes
    /// the verdict of the scenarios that need it.
    ///
    /// # Errors
    /// When the image can't be had, or the machine lacks something.
    pub async fn prepare(
        options: &StageOptions,
        needed: &[Base],
        events: &Events,
        evidence: &Utf8Path,
    ) -> Result<Self> {
        let cache = Cache::open().map_err(choice::error)?;
        let image = options.image.image(&cache, events).await?;
        let guest = Guest::choose(&image, options.guest.as_deref(), &cache, events).await?;
        let (platform, environment) = platform(&image, &guest, options, cache.root()).await?;
        let patience = platform.accel.patience();
        events.send(Event::EnvironmentKnown(environment.clone()));
        if let Some(why) = capability::obstacle(image.manifest(), &options.promises, &options.given)
        {
            return Ok(Self {
                patience,
                environment,
                manifest: image.manifest().clone(),
                obstacle: Some(why),
                booted: None,
                stack: None,
                attempts: options.attempts,
                layers: BTreeMap::new(),
                _scratch: None,
            });
        }
        let stack = Stack::open(cache.root(), platform, events.clone(), evidence)?;
        let host = options.host.as_ref();
        let mut files = files::lab_files(
            &options.subject,
            &options.tool,
            options.agent.as_deref(),
            host,
        )?;
        files.extend(guest.files()?);
        // Swept by a later run if this one is killed.
        let scratch = Scratch::new()?;
        let disk = labdisk::make(&files, scratch.path()).await?;

        let mut layers = BTreeMap::new();
        let booted = match stack.booted().await {
            Ok(booted) => booted,
            Err(broken) => return Err(unwrap(broken)),
        };
        let host = match provisioned(&stack, &booted, &disk, image.manifest(), options).await {
            Ok(host) => host,
            Err(broken) => return Err(unwrap(broken)),
        };
        if needed.contains(&Base::Deployed) {
            let deployed = made(options.attempts.get(), async || {
                deployed(
                    &stack,
                    &host,
                    &options.tool,
                    &options.subject,
                    options.leases,
                )
                .await
            });
            layers.insert(Base::Deployed, vec![deployed.await]);
        }
        layers.insert(Base::Host, vec![Ok(host)]);
        Ok(Self {
            patience,
            environment,
            manifest: image.manifest().clone(),
            obstacle: None,
            booted: Some(booted),
            stack: Some(stack),
            attempts: options.attempts,
            layers,
            _scratch: Some(scratch),
        })
    }

    /// Has scenarios on `base` start from layers on top of it, `starts` of them, which [`Self::layer_of`]
    /// tells apart. `make` gets their number, from 1. A base that could not be made stays what it is.
    pub async fn change(
        &mut self,
        base: Base,
        starts: u32,
        make: impl AsyncFn(&Stack, &Arc<Layer>, u32) -> Result<Arc<Layer>, Broken>,
    ) {
        let Some(stack) = &self.stack else { return };
        let Some([Ok(plain)]) = self.layers.get(&base).map(Vec::as_slice) else {
            return;
        };
        let mut changed = vec![];
        for start in 1..=starts.max(1) {
            let one = made(self.attempts.get(), async || {
                make(stack, plain, start).await
            })
            .await;
            changed.push(one);
            // What can't be made each time can't be made the next time, too.
            if changed.iter().any(Result::is_err) {
                break;
            }
        }
        self.layers.insert(base, changed);
    }

    /// By how much limits grow on this platform against one with KVM.
    #[must_use]
    pub fn patience(&self) -> u32 {
        self.patience
    }

    /// What it is made of.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The description of the image that all of its hosts are of.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Why nothing can be run on these hosts, if nothing can.
    #[must_use]
    pub fn obstacle(&self) -> Option<&str> {
        self.obstacle.as_deref()
    }

    /// The layer that the others stand on.
    ///
    /// # Errors
    /// The verdict that stands for it where nothing can be run.
    pub fn booted(&self) -> std::result::Result<&Arc<Layer>, Box<Verdict>> {
        let why = self.obstacle.clone().unwrap_or_default();
        self.booted
            .as_ref()
            .ok_or_else(|| Box::new(Verdict::Skipped { why }))
    }

    /// The layer for `base`, or the verdict that stands for it.
    ///
    /// # Errors
    /// The verdict of a base that could not be prepared, or was not asked for.
    pub fn layer(&self, base: Base) -> std::result::Result<&Arc<Layer>, Box<Verdict>> {
        self.layer_of(base, 0)
    }

    /// The same for the run with the place `run` among the repeats, which has a start of the containers
    /// of its own, where there is one.
    ///
    /// # Errors
    /// Those of [`Self::layer`]. One start that failed stands for all.
    pub fn layer_of(
        &self,
        base: Base,
        run: usize,
    ) -> std::result::Result<&Arc<Layer>, Box<Verdict>> {
        if let Some(why) = self.obstacle.clone() {
            return Err(Box::new(Verdict::Skipped { why }));
        }
        let layers = self.layers.get(&base).map_or(&[][..], Vec::as_slice);
        if let Some(Err(verdict)) = layers.iter().find(|layer| layer.is_err()) {
            return Err(Box::new(verdict.clone()));
        }
        let layer = layers.get(run).or_else(|| layers.last());
        let layer = layer.and_then(|layer| layer.as_ref().ok());
        layer.ok_or_else(|| {
            Box::new(Verdict::Infrastructure {
                error: format!("the layer {} was not prepared", base.name()),
            })
        })
    }
}

fn unwrap(broken: Broken) -> Error {
    match broken {
        Broken::Infrastructure(error) => error,
        Broken::TimedOut(timeout) => timeout.into(),
        other => Error::Layer {
            name: "host".into(),
            why: other.to_string(),
        },
    }
}

async fn platform(
    image: &Image,
    guest: &Guest,
    options: &StageOptions,
    cache: &Utf8Path,
) -> Result<(Platform, Environment)> {
    let qemu = identity::installed()?;
    let chosen = accel::choose(options.accel, &image.kernel(), cache).await?;
    let manifest = image.manifest();
    let version = |version: &str| version.to_owned();
    let mut environment = Environment {
        image: format!(
            "{} {}",
            manifest.name,
            image.id().get(..16).unwrap_or(image.id())
        ),
        accelerator: format!("{} ({})", chosen.accel.name(), chosen.why),
        tool: options.tool.to_string(),
        versions: BTreeMap::from([
            ("os".to_owned(), version(&manifest.os.pretty)),
            ("systemd".to_owned(), version(&manifest.versions.systemd)),
            ("nix".to_owned(), version(&manifest.versions.nix)),
            ("kernel".to_owned(), version(&manifest.versions.kernel)),
            ("guest".to_owned(), guest.suite().to_owned()),
            ("guest-systemd".to_owned(), guest.systemd().to_owned()),
            ("qemu".to_owned(), qemu.line.clone()),
            ("spawnlab".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ]),
        variables: options.variables.clone(),
    };
    if let Some(switch) = guest::switch(image) {
        let name = "switch-to-configuration".to_owned();
        environment.versions.insert(name, switch);
    }
    let platform = Platform::of(image, chosen.accel, qemu)?;
    Ok((platform, environment))
}

async fn provisioned(
    stack: &Stack,
    booted: &Arc<Layer>,
    disk: &LabDisk,
    manifest: &Manifest,
    options: &StageOptions,
) -> Result<Arc<Layer>, Broken> {
    let provision = manifest.provision.to_string();
    let port = options.agent.is_some().then(|| manifest.agent.port.clone());
    let declarations = options.host.clone();
    let recipe = LayerRecipe {
        name: "host".into(),
        made_of: vec![
            ("lab disk".into(), disk.hash.clone()),
            ("provision".into(), provision.clone()),
        ],
        built_with: tool(options.tool.as_path()),
        lab: Some(disk.file.clone()),
        work: Arc::new(move |host: Arc<Host>| {
            let (provision, port) = (provision.clone(), port.clone());
            let declarations = declarations.clone();
            Box::pin(async move {
                mount(&host).await?;
                if let Some(declarations) = declarations {
                    declarations.check(&host).await?;
                }
                provision_host(&host, &provision, port.as_deref()).await
            })
        }),
    };
    stack.child(booted, recipe).await
}

async fn mount(host: &Host) -> Outcome {
    // What the kernel has read of the disk while it was the booted layer's empty one is stale.
    host.succeed(
        "disk=/dev/disk/by-id/virtio-lab; blockdev --flushbufs $disk; mkdir -p /lab; mount -o ro $disk /lab",
    )
    .await?;
    Ok(())
}

async fn provision_host(host: &Host, provision: &str, port: Option<&str>) -> Outcome {
    let output = host
        .execute_with(provision, b"", Duration::from_secs(240))
        .await?;
    expect("provisioning").succeeded(output)?;
    if let Some(port) = port {
        host.take_agent(&format!("/lab/{}", files::AGENT), port)
            .await?;
    }
    Ok(())
}
