//! What the command and the libtest target need done with VMs.

use std::{collections::BTreeMap, num::NonZeroU32, sync::Arc};

use camino::{Utf8Path, Utf8PathBuf};
use spawnlab::{
    image::Cache,
    run::{
        engine::{Course, Engine},
        known::Known,
        stage::{
            Stage, StageOptions,
            choice::{ImageChoice, ImageOptions},
            declarations::Declarations,
            programs,
            refused::Leases,
        },
        trial::Failed,
    },
    scenario::{Base, Guarantee, Surrounding, subject::Subject},
    util::{
        error::{Error, Result},
        scratch,
    },
    verdict::event::Events,
    vm::qemu::accel::Choice,
};

use crate::{cli::again::Again, firewall::Firewall, registry::Chosen, under::under};

/// What to run scenarios on, and with what.
#[derive(Debug, Clone)]
pub struct Options {
    /// What hosts are provisioned with, and what is deployed.
    pub subject: Subject,
    /// The deploy tool under test: absolute, an executable file. Ours if there is none.
    pub tool: Option<Utf8PathBuf>,
    /// What the tool promises.
    pub promises: Vec<Guarantee>,
    /// What hosts are made of.
    pub image: ImageOptions,
    /// The Debian suite that guests are made of. The image's own if there is none.
    pub guest: Option<String>,
    /// The accelerator.
    pub accel: Choice,
    /// The firewall that hosts are put under, if any.
    pub firewall: Option<Firewall>,
    /// Container declarations in place of the lab's own.
    pub host: Option<Declarations>,
    /// How many starts of the containers under the firewall are told apart.
    pub starts: NonZeroU32,
    /// How often layers are tried to be made before their failure is a finding.
    pub attempts: NonZeroU32,
    /// How often each scenario is run, each time on a fresh clone.
    pub repeat: NonZeroU32,
    /// How often scenarios that loop do so.
    pub loops: NonZeroU32,
    /// The failures that are expected.
    pub known: Arc<Known>,
    /// What becomes of the hosts of scenarios that do not pass.
    pub failed: Failed,
    /// Writes the command that runs just one scenario again.
    pub again: Again,
}

/// A layer that a person can look around in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Layer {
    /// The image, booted, and nothing more.
    Booted,
    /// Provisioned: containers are declared, none is deployed.
    Host,
    /// The lab's containers are deployed.
    Deployed,
}

/// Finds (or builds) the image, proves the accelerator, sends
/// [`spawnlab::verdict::event::Event::EnvironmentKnown`], and makes the layers that `chosen` start from.
/// Evidence of the layers goes below `report_dir`.
///
/// # Errors
/// What keeps every scenario from being run: no usable QEMU, image, accelerator or layer.
pub async fn open(
    options: Options,
    chosen: &[Chosen],
    report_dir: &Utf8Path,
    events: &Events,
) -> Result<Engine> {
    let cache = cache()?;
    scratch::sweep()?;
    scratch::sweep_under(&cache.root().join("scratch"))?;
    let mut needed = Vec::new();
    for chosen in chosen {
        needed.push(chosen.scenario.base);
        needed.extend(chosen.spared.map(|spared| spared.base));
    }
    let stage_options = stage_options(&options)?;
    let prepared = Stage::prepare(&stage_options, &needed, events, report_dir);
    let mut stage = Box::pin(prepared).await?;
    if let Some(firewall) = options.firewall {
        for base in [Base::Host, Base::Deployed] {
            if needed.contains(&base) {
                let starts = if base == Base::Deployed {
                    options.starts.get()
                } else {
                    1
                };
                let change = stage.change(base, starts, async |stack, plain, start| {
                    under(firewall, stack, base, (plain, start), &options.subject).await
                });
                Box::pin(change).await;
            }
        }
    }
    let given = given(&options);
    let again = options.again;
    let course = Course {
        promises: options.promises,
        given,
        repeat: options.repeat,
        loops: options.loops,
        known: options.known,
        failed: options.failed,
        again: Arc::new(move |name| again.command(name)),
    };
    Ok(Engine::new(stage, cache.root(), course))
}

pub(crate) fn stage_options(options: &Options) -> Result<StageOptions> {
    Ok(StageOptions {
        subject: options.subject.clone(),
        image: image_choice(options)?,
        guest: options.guest.clone(),
        accel: options.accel,
        tool: match &options.tool {
            Some(tool) => tool.clone(),
            None => programs::own_tool()?,
        },
        promises: options.promises.clone(),
        leases: match options.image.own_firewall {
            true => Leases::MayBeRefused,
            false => Leases::Needed,
        },
        host: options.host.clone(),
        attempts: options.attempts,
        agent: programs::agent()?,
        given: given(options),
        variables: variables(options),
    })
}

/// What of its surroundings a scenario finds that is not the image's.
fn given(options: &Options) -> Vec<Surrounding> {
    let firewall = options.firewall.map(|_| Surrounding::Firewall);
    firewall.into_iter().collect()
}

fn image_choice(options: &Options) -> Result<ImageChoice> {
    // A NixOS host's containers are part of its system.
    let mut subject = options.subject.clone();
    if let Some(host) = &options.host {
        subject.declare(host.text.as_bytes());
    }
    ImageChoice::read(&options.image, &subject, cache()?.root())
}

/// What of `options` the user chose, as the command line has it.
fn variables(options: &Options) -> BTreeMap<String, String> {
    let firewall = options
        .firewall
        .map(|firewall| ("firewall", firewall.given()));
    let host = options
        .host
        .as_ref()
        .map(|host| ("host", host.file.to_string()));
    [firewall, host]
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// The folder of the image that `options` name, which is built if it has to be.
pub(crate) async fn image_folder(options: &Options, events: &Events) -> Result<Utf8PathBuf> {
    let image = image_choice(options)?.image(&cache()?, events).await?;
    Ok(image.dir().to_owned())
}

pub(crate) fn cache() -> Result<Cache> {
    Cache::open().map_err(|error| Error::Image(error.to_string()))
}
