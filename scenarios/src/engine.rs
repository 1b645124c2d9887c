//! What the command and the libtest target need done with VMs.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    sync::Arc,
};

use camino::{Utf8Path, Utf8PathBuf};
use spawnlab::{
    error::{Error, Result},
    event::{Environment, Events},
    image::{Cache, Recipe},
    job::Job,
    known::Known,
    qemu::accel::Choice,
    repeat,
    scenario::{Base, Guarantee, Scenario, Surrounding},
    scratch,
    slots::{Bound, Slots},
    subject::Subject,
    trial::{self, Failed, How, Look},
    verdict::Verdict,
};

use crate::{
    cli::again::Again,
    declarations::Declarations,
    firewall::Firewall,
    flake, programs,
    registry::Chosen,
    stage::{self, ImageChoice, Stage, StageOptions},
};

/// What to run scenarios on, and with what.
#[derive(Debug, Clone)]
pub struct Options {
    /// What hosts are provisioned with, and what is deployed.
    pub subject: Subject,
    /// The deploy tool under test: absolute, an executable file. Ours if there is none.
    pub tool: Option<Utf8PathBuf>,
    /// What the tool promises.
    pub promises: Vec<Guarantee>,
    /// A recipe's name or file, the folder of a built image, or a flake reference. The default recipe if there is none.
    pub image: Option<String>,
    /// What nixpkgs is to be where the image is a flake reference, in place of what its lock file says.
    pub nixpkgs: Option<String>,
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

/// Images, layers and clones.
#[derive(Debug)]
pub struct Engine {
    options: Options,
    stage: Arc<Stage>,
}

impl Engine {
    /// Finds (or builds) the image, proves the accelerator, sends
    /// [`spawnlab::event::Event::EnvironmentKnown`], and makes the layers that `chosen` start from.
    /// Evidence of the layers goes below `report_dir`.
    ///
    /// # Errors
    /// What keeps every scenario from being run: no usable QEMU, image, accelerator or layer.
    pub async fn open(
        options: Options,
        chosen: &[Chosen],
        report_dir: &Utf8Path,
        events: &Events,
    ) -> Result<Self> {
        scratch::sweep()?;
        scratch::sweep_under(&cache()?.root().join("scratch"))?;
        let mut needed = Vec::new();
        for chosen in chosen {
            needed.push(chosen.scenario.base);
            needed.extend(chosen.spared.map(|spared| spared.base));
        }
        let stage = Box::pin(Stage::prepare(
            &stage_options(&options)?,
            &needed,
            events,
            report_dir,
        ))
        .await?;
        Ok(Self {
            options,
            stage: Arc::new(stage),
        })
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
        Slots::open(cache()?.root(), bound)
    }

    /// The job that runs `chosen`, one of those that the engine was opened for.
    #[must_use]
    pub fn job(&self, chosen: Chosen) -> Job {
        let name = chosen.full_name();
        let stage = Arc::clone(&self.stage);
        let patience = stage.patience();
        let how = How {
            failed: self.options.failed,
            loops: self.options.loops,
        };
        let repeat = self.options.repeat.get();
        let known = Arc::clone(&self.options.known);
        // A proof runs two scenarios, one after the other.
        let once =
            chosen.scenario.deadline(how.loops) * if chosen.saboteur.is_some() { 3 } else { 1 };
        Job {
            claim: chosen.scenario.claim(),
            limit: once * patience * repeat,
            skip: self.skip(chosen.scenario),
            again: self.options.again.command(&name),
            body: Box::new(move |dir| {
                Box::pin(async move {
                    let verdict = repeated(repeat, chosen, &stage, how, &dir).await;
                    if chosen.saboteur.is_some() {
                        return verdict;
                    }
                    let facts = stage.environment().facts();
                    known.judge(&chosen.full_name(), &facts, verdict)
                })
            }),
            name,
        }
    }

    /// The job `name` that runs `scenario` once for a comparison, as the run with the place `run` among
    /// the repeats, and looks around as `look` says.
    #[must_use]
    pub fn compared(
        &self,
        scenario: &'static Scenario,
        name: String,
        run: usize,
        look: Look,
    ) -> Job {
        let stage = Arc::clone(&self.stage);
        let loops = self.options.loops;
        Job {
            claim: scenario.claim(),
            limit: scenario.deadline(loops) * stage.patience(),
            skip: None,
            again: self.options.again.command(&scenario.full_name()),
            body: Box::new(move |dir| {
                Box::pin(async move {
                    match stage.layer_of(scenario.base, run) {
                        Ok(layer) => trial::compared(scenario, layer, look, loops, &dir).await,
                        Err(verdict) => *verdict,
                    }
                })
            }),
            name,
        }
    }

    /// Why no scenario on `base` can be run, if none can.
    #[must_use]
    pub fn unprepared(&self, base: Base) -> Option<Verdict> {
        let verdict = self.stage.layer(base).err().map(|verdict| *verdict);
        // Scenarios are skipped on such hosts, each with the reason.
        verdict.filter(|_| self.stage.obstacle().is_none())
    }

    /// What scenarios run on.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        self.stage.environment()
    }

    /// Why `scenario` is not run on these hosts, with this tool, or under this firewall, if it is not.
    #[must_use]
    pub fn skip(&self, scenario: &Scenario) -> Option<String> {
        if let Some(why) = self.stage.obstacle() {
            return Some(why.to_owned());
        }
        if self.options.firewall.is_some() && scenario.brings.contains(&Surrounding::Firewall) {
            return Some("it loads a firewall of its own".into());
        }
        let missing: Vec<&str> = scenario
            .needs
            .iter()
            .filter(|need| !self.options.promises.contains(need))
            .map(|need| need.name())
            .collect();
        (!missing.is_empty()).then(|| format!("the tool does not promise {}", missing.join(", ")))
    }
}

/// Runs `chosen` as often as `repeat` says, with the evidence of each run in a folder of its own.
async fn repeated(repeat: u32, chosen: Chosen, stage: &Stage, how: How, dir: &Utf8Path) -> Verdict {
    if repeat == 1 {
        return run(chosen, stage, how, dir).await;
    }
    let mut verdicts = vec![];
    for number in 1..=repeat {
        let dir = dir.join(number.to_string());
        if let Err(error) = fs_err::create_dir_all(&dir) {
            return Verdict::Infrastructure {
                error: error.to_string(),
            };
        }
        verdicts.push(run(chosen, stage, how, &dir).await);
    }
    repeat::together(&verdicts)
}

async fn run(chosen: Chosen, stage: &Stage, how: How, dir: &Utf8Path) -> Verdict {
    let scenario = chosen.scenario;
    let layer = match stage.layer(scenario.base) {
        Ok(layer) => layer,
        Err(verdict) => return *verdict,
    };
    let Some(saboteur) = chosen.saboteur else {
        return trial::trial(scenario, None, layer, how, dir).await;
    };
    let Some(spared) = chosen.spared else {
        return Verdict::Infrastructure {
            error: format!(
                "the saboteur {} spares {}, which is no scenario",
                saboteur.name, saboteur.spares
            ),
        };
    };
    match stage.layer(spared.base) {
        Ok(other) => trial::proof(scenario, saboteur, layer, (spared, other), how, dir).await,
        Err(verdict) => *verdict,
    }
}

pub(crate) fn stage_options(options: &Options) -> Result<StageOptions> {
    Ok(StageOptions {
        subject: options.subject.clone(),
        image: image_choice(options.image.as_deref(), options.nixpkgs.as_deref())?,
        guest: options.guest.clone(),
        accel: options.accel,
        tool: match &options.tool {
            Some(tool) => tool.clone(),
            None => programs::own_tool()?,
        },
        promises: options.promises.clone(),
        firewall: options.firewall,
        host: options.host.clone(),
        starts: options.starts,
        attempts: options.attempts,
        agent: programs::agent()?,
    })
}

/// The default recipe, a recipe's name or file, an image's folder, or a flake reference, which may be
/// built with another nixpkgs.
pub(crate) fn image_choice(image: Option<&str>, nixpkgs: Option<&str>) -> Result<ImageChoice> {
    let folder = image.map(Utf8Path::new).filter(|path| path.is_dir());
    if let Some(folder) = folder {
        return Ok(ImageChoice::Folder(folder.to_owned()));
    }
    let flake = image.filter(|image| flake::is_meant(image));
    if let Some(reference) = flake {
        let links = cache()?.root().join("flakes");
        return Ok(ImageChoice::Folder(flake::build(
            reference, nixpkgs, &links,
        )?));
    }
    Ok(ImageChoice::Recipe(Box::new(recipe(image)?)))
}

pub(crate) fn recipe(recipe: Option<&str>) -> Result<Recipe> {
    let name = recipe.unwrap_or("trixie");
    let read = if name.ends_with(".toml") || name.contains('/') {
        Recipe::from_path(name)
    } else {
        Recipe::embedded(name)
    };
    read.map_err(|error| Error::Image(error.to_string()))
}

/// The folder of the image that `options` name, which is built if it has to be.
pub(crate) async fn image_folder(options: &Options, events: &Events) -> Result<Utf8PathBuf> {
    let choice = image_choice(options.image.as_deref(), options.nixpkgs.as_deref())?;
    let image = stage::image(&choice, &cache()?, events).await?;
    Ok(image.dir().to_owned())
}

pub(crate) fn cache() -> Result<Cache> {
    Cache::open().map_err(|error| Error::Image(error.to_string()))
}
