//! From options to layers: the image, the platform, and the hosts that scenarios start from.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};
use spawnlab::{
    Error, Result, digest,
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

use crate::{assets, firewall::Firewall, guest::Guest, settle};

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
    /// The lab's own agent; without it qemu-ga serves.
    pub agent: Option<Utf8PathBuf>,
}

/// The layers that scenarios start from.
#[derive(Debug)]
pub struct Stage {
    patience: u32,
    environment: Environment,
    booted: Arc<Layer>,
    layers: BTreeMap<Base, std::result::Result<Arc<Layer>, Verdict>>,
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
        let mut files =
            assets::lab_files(&options.subject, &options.tool, options.agent.as_deref())?;
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
        if needed.contains(&Base::Deployed) {
            let deployed = deployed(&stack, &host, options).await;
            layers.insert(Base::Deployed, deployed.map_err(Broken::into_verdict));
        }
        layers.insert(Base::Host, Ok(host));
        if let Some(firewall) = options.firewall {
            for (base, layer) in &mut layers {
                if let (true, Ok(plain)) = (needed.contains(base), &*layer) {
                    let under = under(firewall, &stack, (*base, plain), &options.subject).await;
                    *layer = under.map_err(Broken::into_verdict);
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
        match self.layers.get(&base) {
            Some(Ok(layer)) => Ok(layer),
            Some(Err(verdict)) => Err(Box::new(verdict.clone())),
            None => Err(Box::new(Verdict::Infrastructure {
                error: format!("the layer {} was not prepared", base.name()),
            })),
        }
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
    let child = Child {
        name: "host",
        made_of: vec![
            ("lab disk".into(), disk.hash.clone()),
            ("provision".into(), provision.clone()),
        ],
        built_with: tool(options.tool.as_path()),
        lab: Some(&disk.file),
        work: Box::new(move |host: Arc<Host>| {
            Box::pin(async move { provision_host(&host, &provision, port.as_deref()).await })
        }),
    };
    stack.child(booted, child).await
}

async fn provision_host(host: &Host, provision: &str, port: Option<&str>) -> Outcome {
    // What the kernel has read of the disk while it was the booted layer's empty one is stale.
    host.succeed(
        "disk=/dev/disk/by-id/virtio-lab; blockdev --flushbufs $disk; mkdir -p /lab; mount -o ro $disk /lab",
    )
    .await?;
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
        let output = deploy.run(host).await?;
        expect("deploying the layer").succeeded(output)?;
    }
    for one in deployed {
        settle::settled(host, &one.container).await?;
    }
    Ok(())
}

/// A layer on top of `plain` with the rules of `firewall` loaded, and its containers started anew:
/// what they leased before would hide what the rules do to them.
async fn under(
    firewall: Firewall,
    stack: &Stack,
    (base, plain): (Base, &Arc<Layer>),
    subject: &Subject,
) -> Result<Arc<Layer>, Broken> {
    let name = format!("{}-{}", base.name(), firewall.name());
    let deployed = subject.deployed.clone();
    let child = Child {
        name: &name,
        made_of: vec![
            ("firewall".into(), firewall.name()),
            ("rules".into(), digest::of([firewall.rules().as_bytes()])),
            (
                "start".into(),
                digest::of([start_anew(&subject.containers()).as_bytes()]),
            ),
        ],
        built_with: vec![],
        lab: None,
        work: Box::new(move |host: Arc<Host>| {
            Box::pin(async move {
                let outcome = put_under(firewall, &host, base, &deployed).await;
                if outcome.is_err() {
                    return trial::explain(&host, outcome).await;
                }
                outcome
            })
        }),
    };
    stack.child(plain, child).await
}

/// Starts the containers anew, on a host that remembers none of the leases it gave: evidence that
/// still showed them would speak of the time before the rules.
fn start_anew(containers: &[&str]) -> String {
    let unit = |container: &&str| format!("systemd-nspawn@{container}.service");
    let units: Vec<String> = containers.iter().map(unit).collect();
    let units = units.join(" ");
    format!(
        "set -e; systemctl stop {units}
         rm -f /var/lib/systemd/network/dhcp-server-lease/ve-*
         systemctl start {units}"
    )
}

async fn put_under(firewall: Firewall, host: &Host, base: Base, deployed: &[Deployed]) -> Outcome {
    firewall.load(host).await?;
    if base != Base::Deployed {
        return Ok(());
    }
    let containers: Vec<&str> = deployed.iter().map(|one| one.container.as_str()).collect();
    let output = host
        .execute_with(&start_anew(&containers), b"", Duration::from_secs(90))
        .await?;
    expect("the restart under the firewall").succeeded(output)?;
    settle::under(firewall, host, &containers).await
}
