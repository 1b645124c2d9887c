//! From options to layers: the image, the platform, and the hosts that scenarios start from.

use std::{collections::BTreeMap, num::NonZeroU32, sync::Arc, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};
use spawnlab::{
    Error, Result,
    event::{Environment, Event, Events},
    host::Host,
    image::{Cache, Image, ImageEvent, Manifest, Recipe, Refresh},
    layer::{
        labdisk::{self, LabDisk},
        platform::Platform,
        saved::Layer,
        stack::{Child, Stack},
    },
    prelude::{Broken, Deploy, Outcome, expect},
    qemu::{
        accel::{self, Choice},
        identity,
    },
    scenario::Base,
    subject::{Deployed, Subject},
    trial,
    verdict::Verdict,
};

use crate::{
    assets,
    declarations::Declarations,
    firewall::Firewall,
    guest::Guest,
    made::{Made, made},
    settle,
    under::under,
};

/// Where the image comes from.
#[derive(Debug, Clone)]
pub enum ImageChoice {
    /// A recipe's image: built if it is not in the cache.
    Recipe(Box<Recipe>),
    /// A folder with an `image.json`, made by anybody.
    Folder(Utf8PathBuf),
}

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
    /// The firewall that the layers are put under, if any.
    pub firewall: Option<Firewall>,
    /// Container declarations in place of the lab's own.
    pub host: Option<Declarations>,
    /// How often each layer is tried to be made, and how many starts of the containers under the
    /// firewall are told apart.
    pub starts: NonZeroU32,
    /// The lab's own agent; without it qemu-ga serves.
    pub agent: Option<Utf8PathBuf>,
}

impl StageOptions {
    /// What of them the user chose, as the command line has it.
    fn variables(&self) -> BTreeMap<String, String> {
        let firewall = self.firewall.map(|firewall| ("firewall", firewall.given()));
        let host = self
            .host
            .as_ref()
            .map(|host| ("host", host.file.to_string()));
        [firewall, host]
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

/// The layers that scenarios start from.
#[derive(Debug)]
pub struct Stage {
    patience: u32,
    environment: Environment,
    booted: Arc<Layer>,
    /// Those under a firewall are as many as there are starts; all others are one.
    layers: BTreeMap<Base, Vec<Made>>,
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
        let cache = Cache::open().map_err(image_error)?;
        let image = image(&options.image, &cache, events).await?;
        let guest = Guest::choose(image.manifest(), options.guest.as_deref())?;
        let (platform, environment) = platform(&image, &guest, options, cache.root()).await?;
        let patience = platform.accel.patience();
        events.send(Event::EnvironmentKnown(environment.clone()));
        let stack = Stack::open(cache.root(), platform, events.clone(), evidence)?;
        let host = options.host.as_ref();
        let mut files = assets::lab_files(
            &options.subject,
            &options.tool,
            options.agent.as_deref(),
            host,
        )?;
        files.extend(guest.files()?);
        let scratch = tempfile::Builder::new()
            .prefix("lab-disk-")
            .tempdir_in(cache.root())?;
        let dir = Utf8Path::from_path(scratch.path())
            .ok_or_else(|| Error::Machine("the cache's path is not UTF-8".into()))?;
        let disk = labdisk::make(&files, dir).await?;

        let mut layers = BTreeMap::new();
        let booted = match stack.booted().await {
            Ok(booted) => booted,
            Err(broken) => return Err(unwrap(broken)),
        };
        let host = match provisioned(&stack, &booted, &disk, image.manifest(), options).await {
            Ok(host) => host,
            Err(broken) => return Err(unwrap(broken)),
        };
        let subject = &options.subject;
        let starts = options.starts.get();
        if needed.contains(&Base::Deployed) {
            let deployed = made(starts, async || deployed(&stack, &host, options).await);
            layers.insert(Base::Deployed, vec![deployed.await]);
        }
        layers.insert(Base::Host, vec![Ok(host)]);
        if let Some(firewall) = options.firewall {
            for (base, layers) in &mut layers {
                let [Ok(plain)] = layers.as_slice() else {
                    continue;
                };
                if needed.contains(base) {
                    let plain = Arc::clone(plain);
                    layers.clear();
                    let starts = if *base == Base::Deployed { starts } else { 1 };
                    for start in 1..=starts {
                        let make =
                            async || under(firewall, &stack, *base, (&plain, start), subject).await;
                        layers.push(made(starts, make).await);
                        // What is refused each time is refused the next time, too.
                        if layers.iter().any(Result::is_err) {
                            break;
                        }
                    }
                }
            }
        }
        Ok(Self {
            patience,
            environment,
            booted,
            layers,
        })
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

    /// The layer that the others stand on.
    #[must_use]
    pub fn booted(&self) -> &Arc<Layer> {
        &self.booted
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

fn image_error(error: impl std::fmt::Display) -> Error {
    Error::Image(error.to_string())
}

/// The image, as `choice` says.
///
/// # Errors
/// When it can't be built, read, or is damaged.
pub async fn image(choice: &ImageChoice, cache: &Cache, events: &Events) -> Result<Image> {
    match choice {
        ImageChoice::Folder(dir) => Image::open(dir).map_err(image_error),
        ImageChoice::Recipe(recipe) => build_image(recipe, Refresh::No, cache, events).await,
    }
}

/// Builds the image of `recipe` unless the cache has it.
///
/// # Errors
/// When the build fails.
pub async fn build_image(
    recipe: &Recipe,
    refresh: Refresh,
    cache: &Cache,
    events: &Events,
) -> Result<Image> {
    let step = format!("image {}", recipe.spec().name);
    let (recipe, cache, progress) = (recipe.clone(), cache.clone(), events.clone());
    let line = step.clone();
    events
        .step(&step, async move || {
            let build = move || {
                let built = std::sync::atomic::AtomicBool::new(false);
                let tell = |event: ImageEvent| {
                    built.store(true, std::sync::atomic::Ordering::Relaxed);
                    progress.progress(&line, event.to_string());
                };
                let image = cache.image(&recipe, refresh, &tell)?;
                let how = if built.into_inner() {
                    "built"
                } else {
                    "reused"
                };
                Ok::<_, spawnlab::image::ImageError>((image, how.to_owned()))
            };
            tokio::task::spawn_blocking(build)
                .await
                .map_err(|error| Error::Image(error.to_string()))?
                .map_err(image_error)
        })
        .await
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
    let environment = Environment {
        image: format!(
            "{} {}",
            manifest.name,
            image.id().get(..16).unwrap_or(image.id())
        ),
        accelerator: format!("{} ({})", chosen.accel.name(), chosen.why),
        tool: options.tool.to_string(),
        versions: BTreeMap::from([
            ("systemd".to_owned(), version(&manifest.versions.systemd)),
            ("nix".to_owned(), version(&manifest.versions.nix)),
            ("kernel".to_owned(), version(&manifest.versions.kernel)),
            ("guest".to_owned(), guest.suite().to_owned()),
            ("qemu".to_owned(), qemu.line.clone()),
            ("spawnlab".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ]),
        variables: options.variables(),
    };
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
    let child = Child {
        name: "host",
        made_of: vec![
            ("lab disk".into(), disk.hash.clone()),
            ("provision".into(), provision.clone()),
        ],
        built_with: tool(options.tool.as_path()),
        lab: Some(&disk.file),
        work: Box::new(move |host: Arc<Host>| {
            Box::pin(async move {
                mount(&host).await?;
                if let Some(declarations) = declarations {
                    declarations.check(&host).await?;
                }
                provision_host(&host, &provision, port.as_deref()).await
            })
        }),
    };
    stack.child(booted, child).await
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
        .execute_with(provision, b"", Duration::from_secs(90))
        .await?;
    expect("provisioning").succeeded(output)?;
    if let Some(port) = port {
        host.take_agent(&format!("/lab/{}", assets::AGENT), port)
            .await?;
    }
    Ok(())
}

/// For the record of a layer that holds the tool.
fn tool(path: &Utf8Path) -> Vec<(String, String)> {
    vec![("tool".to_owned(), path.to_string())]
}

async fn deployed(
    stack: &Stack,
    host: &Arc<Layer>,
    options: &StageOptions,
) -> Result<Arc<Layer>, Broken> {
    let deployed = options.subject.deployed.clone();
    let child = Child {
        name: "deployed",
        made_of: deployed
            .iter()
            .map(|one| (one.container.clone(), one.machine.clone()))
            .collect(),
        built_with: tool(&options.tool),
        lab: None,
        work: Box::new(move |host: Arc<Host>| {
            Box::pin(async move {
                let outcome = deploy_all(&host, &deployed).await;
                if outcome.is_err() {
                    // The verdict of every scenario that needs this layer should name the hop.
                    return trial::explain(&host, outcome).await;
                }
                outcome
            })
        }),
    };
    stack.child(host, child).await
}

async fn deploy_all(host: &Host, deployed: &[Deployed]) -> Outcome {
    for one in deployed {
        let deploy = Deploy::of(&one.machine).into(&one.container);
        let output = match deploy.run(host).await {
            // A tool that never ends is a finding about the tool.
            Err(Error::Timeout(timeout)) => {
                return expect("deploying the layer").equal(timeout.to_string().as_str(), "an end");
            }
            output => output?,
        };
        expect("deploying the layer").succeeded(output)?;
    }
    for one in deployed {
        settle::settled(host, &one.container).await?;
    }
    Ok(())
}
