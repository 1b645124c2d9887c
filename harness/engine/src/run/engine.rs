//! Makes jobs of scenarios that were chosen: on which layer, how often, and what is left out.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    sync::Arc,
};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    run::task::Task,
    run::{
        chosen::Chosen,
        known::Known,
        repeat,
        stage::Stage,
        trial::{self, Failed, How, Look},
    },
    scenario::{Base, Guarantee, Scenario, Surrounding, capability},
    util::error::Result,
    verdict::{Verdict, event::Environment},
    vm::slots::{Bound, Slots},
};

/// How scenarios are run, whatever they run on.
#[derive(Clone)]
pub struct Course {
    /// What the tool under test promises.
    pub promises: Vec<Guarantee>,
    /// What hosts were given, and no scenario may bring.
    pub given: Vec<Surrounding>,
    /// How often each scenario is run, each time on a fresh clone.
    pub repeat: NonZeroU32,
    /// How often scenarios that loop do so.
    pub loops: NonZeroU32,
    /// The failures that are expected.
    pub known: Arc<Known>,
    /// What becomes of the hosts of scenarios that do not pass.
    pub failed: Failed,
    /// Writes the command that runs just the scenario of a name again.
    pub again: Arc<dyn Fn(&str) -> String + Send + Sync>,
}

/// A stage, and how scenarios are run on it.
pub struct Engine {
    course: Course,
    cache: Utf8PathBuf,
    stage: Arc<Stage>,
}

impl Engine {
    /// One that runs scenarios on `stage`, whose layers are in `cache`.
    #[must_use]
    pub fn new(stage: Stage, cache: &Utf8Path, course: Course) -> Self {
        Self {
            course,
            cache: cache.to_owned(),
            stage: Arc::new(stage),
        }
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

    /// The task that runs `chosen`, whose layers the stage has.
    #[must_use]
    pub fn task(&self, chosen: Chosen) -> Task {
        let name = chosen.full_name();
        let stage = Arc::clone(&self.stage);
        let patience = stage.patience() * capability::effort(stage.manifest());
        let how = How {
            failed: self.course.failed,
            loops: self.course.loops,
        };
        let repeat = self.course.repeat.get();
        let known = Arc::clone(&self.course.known);
        // A proof runs two scenarios, one after the other.
        let once =
            chosen.scenario.deadline(how.loops) * if chosen.saboteur.is_some() { 3 } else { 1 };
        Task {
            claim: chosen.scenario.claim(),
            limit: once * patience * repeat,
            skip: self.skip(chosen.scenario),
            again: (self.course.again)(&name),
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

    /// The task `name` that runs `scenario` once for a comparison, as the run with the place `run` among
    /// the repeats, and looks around as `look` says.
    #[must_use]
    pub fn compared(
        &self,
        scenario: &'static Scenario,
        name: String,
        run: usize,
        look: Look,
    ) -> Task {
        let stage = Arc::clone(&self.stage);
        let loops = self.course.loops;
        Task {
            claim: scenario.claim(),
            limit: scenario.deadline(loops)
                * stage.patience()
                * capability::effort(stage.manifest()),
            skip: None,
            again: (self.course.again)(&scenario.full_name()),
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
        if let Some(why) = capability::unfit(self.stage.manifest(), scenario) {
            return Some(why);
        }
        if self.course.given.contains(&Surrounding::Firewall)
            && scenario.brings.contains(&Surrounding::Firewall)
        {
            return Some("it loads a firewall of its own".into());
        }
        let missing: Vec<&str> = scenario
            .needs
            .iter()
            .filter(|need| !self.course.promises.contains(need))
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
