//! `spawnlab verify`: the same scenarios on clones of two sides.

use std::sync::Arc;

use camino::Utf8PathBuf;
use spawnlab::{
    Error,
    campaign::verify::{self, Compared, Comparison, Runs, text},
    report::{dir::Dir, drive::drive, text::millis},
    run::{
        attempt::Observation,
        config::RunConfig,
        runner::{self, Finished, Interrupt},
        selection::Selected,
        session::Session,
        suite::Suite,
        task::Task,
    },
    scenario::{Base, Scenario, Surrounding},
    verdict::{
        Verdict,
        event::{Event, Events, Summary},
    },
};
use tokio::runtime::Handle;

use crate::lab::side::Side;
use crate::{
    args::verify::VerifyArgs,
    commands::{run::selected, verify_files},
    lab::report_dir,
    output::{error::Trouble, exit::Exit, print, signals},
};

/// What tells two hosts apart: links, leases, and what the rules counted.
const LOOK: &str = include_str!("look.sh");

const NAMES: [&str; 2] = ["base", "change"];

/// Compares the sides of `args`, and reports it.
pub(crate) async fn verify(
    args: &VerifyArgs,
    suite: &Suite,
    bodies: Handle,
) -> Result<Exit, Trouble> {
    // What can be wrong with the command line is found out before anything is written or started.
    let sides = args.sides(suite)?;
    let chosen = selected(suite.to_run(), &args.selection)?;
    let [base, change] = &sides;
    let configs = [args.config(suite, base)?, args.config(suite, change)?];
    verify_files::check(args)?;
    let dir = report_dir::open(args.report.as_deref())?;

    let (events, receiver) = Events::channel();
    let driver = drive(receiver, tell, Some(dir.clone()))
        .map_err(|error| Trouble::infrastructure("reporters", error))?;
    let interrupt = signals::listen().map_err(|error| Trouble::infrastructure("signals", error))?;
    let session = Run {
        args,
        sides: &sides,
        chosen: &chosen,
        dir: &dir,
        interrupt: &interrupt,
        events: &events,
    };
    let (comparison, summary, given) = session.run(configs, bodies).await;
    events.send(Event::RunFinished(Box::new(summary)));
    drop(events);
    let (_, kept) = tokio::task::spawn_blocking(|| driver.finish())
        .await
        .map_err(|error| Trouble::infrastructure("reporters", error))?;
    if let Some(trouble) = given {
        return Err(trouble);
    }

    print::stdout(&format!("\n{}report in {dir}\n", text::render(&comparison)))?;
    verify_files::write(&comparison, args, &dir)?;
    kept.map_err(|error| Trouble::infrastructure("report", error))?;
    Ok(Exit::from(&comparison.overall))
}

struct Run<'a> {
    args: &'a VerifyArgs,
    sides: &'a [Side; 2],
    chosen: &'a [Selected],
    dir: &'a Dir,
    interrupt: &'a Interrupt,
    events: &'a Events,
}

impl Run<'_> {
    /// The comparison; and what is wrong with a file that a side is made of, if that is why there is none.
    async fn run(
        &self,
        configs: [RunConfig; 2],
        bodies: Handle,
    ) -> (Comparison, Summary, Option<Trouble>) {
        let begin = std::time::Instant::now();
        let repeat = self.args.repeat.get();
        self.events.send(Event::RunStarted {
            selected: self.chosen.len() * 2 * usize::try_from(repeat).unwrap_or(usize::MAX),
            report_dir: self.dir.path().to_owned(),
        });
        let engines = tokio::select! {
            biased;
            () = self.interrupt.raised() => {
                self.events.send(Event::Interrupted);
                let summary = Summary::of(&[], true, begin.elapsed());
                return (self.comparison(&[], vec![], true), summary, None);
            }
            engines = Box::pin(self.sessions(configs)) => engines,
        };
        let mut how = runner::Options::new(self.dir.path());
        how.bodies = Some(bodies);
        let ready = engines.and_then(|engines| {
            how.admit(self.args.jobs, engines[0].slots(self.args.jobs))
                .map_err(|error| ("the clones", Box::new(error)))?;
            Ok(engines)
        });
        let engines = match ready {
            Ok(engines) => engines,
            Err((side, error)) => {
                let given = matches!(*error, Error::Given(_)).then(|| Trouble::usage(side, &error));
                let error = format!("{side}: {error}");
                let mut comparison = self.comparison(&[], vec![], false);
                comparison.overall.word = verify::Word::Undecided;
                comparison.overall.sentence = "nothing was compared: the lab failed".into();
                comparison.overall.error = Some(error.clone());
                return (comparison, Summary::broken(error, begin.elapsed()), given);
            }
        };
        let jobs = self.jobs(&engines);
        let finished = runner::run(jobs, &how, self.interrupt, self.events).await;
        let summary = finished.summary(begin.elapsed());
        let compared = self.compared(&finished);
        (
            self.comparison(&engines, compared, finished.interrupted),
            summary,
            None,
        )
    }

    async fn sessions(
        &self,
        configs: [RunConfig; 2],
    ) -> Result<Vec<Arc<Session>>, (&'static str, Box<Error>)> {
        let mut engines = vec![];
        for (name, config) in NAMES.into_iter().zip(configs) {
            print::stderr(&format!("-- {name}\n"));
            let below: Utf8PathBuf = self.dir.path().join("layers").join(name);
            let engine = Session::for_selected(config, self.chosen, &below, self.events).await;
            engines.push(engine.map_err(|error| (name, Box::new(error)))?);
        }
        Ok(engines)
    }

    /// For each scenario its runs, base and change by turns: what changes with time hits both alike.
    fn jobs(&self, engines: &[Arc<Session>]) -> Vec<Task> {
        let mut jobs = vec![];
        for chosen in self.chosen {
            let scenario = chosen.scenario;
            let skip = self.skip(scenario);
            let undecided = undecided(engines, scenario.base);
            for number in 1..=self.args.repeat.get() {
                for (name, engine) in NAMES.iter().zip(engines) {
                    let name = format!("{}.{name}.{number}", scenario.full_name());
                    // One walk along a chain that is whole is enough.
                    let look = Observation {
                        diagnose: number == 1,
                        script: LOOK,
                    };
                    let run = usize::try_from(number - 1).unwrap_or(0);
                    let mut task = engine.compared(scenario, name, run, look);
                    task.skip = skip.clone().or_else(|| engine.skip(scenario));
                    if let Some(verdict) = &undecided {
                        let verdict = verdict.clone();
                        task.body = Box::new(|_| Box::pin(async { verdict }));
                    }
                    jobs.push(task);
                }
            }
            // What one side skips says nothing about the change, and is not worth the other's time.
            let from = jobs.len() - 2 * usize::try_from(self.args.repeat.get()).unwrap_or(0);
            let why = jobs[from..].iter().find_map(|task| task.skip.clone());
            for task in &mut jobs[from..] {
                task.skip.clone_from(&why);
            }
        }
        jobs
    }

    fn skip(&self, scenario: &Scenario) -> Option<String> {
        let varied = self.sides.iter().any(|side| !side.set.is_empty());
        let brings = scenario.brings.contains(&Surrounding::Firewall);
        (varied && brings).then(|| {
            "it loads a firewall of its own, so it says nothing about `firewall=`".to_owned()
        })
    }

    fn compared(&self, finished: &Finished) -> Vec<Compared> {
        let again = self.args.again();
        let side = |name: &str, side: &str| {
            let prefix = format!("{name}.{side}.");
            let records: Vec<_> = finished
                .records
                .iter()
                .filter(|record| record.name.starts_with(&prefix))
                .cloned()
                .collect();
            let passed = records
                .iter()
                .filter(|record| record.verdict == Verdict::Passed)
                .count();
            Runs {
                passed: u32::try_from(passed).unwrap_or(u32::MAX),
                looked: verify::look(self.dir.path(), &records),
                records,
            }
        };
        self.chosen
            .iter()
            .map(|chosen| {
                let name = chosen.full_name();
                let [base, change] = NAMES.map(|one| side(&name, one));
                let claim = chosen.scenario.claim();
                verify::compare(&name, &claim, again.command(&name), base, change)
            })
            .collect()
    }

    /// What the runs of a side have in common, and what each has of its own.
    fn shared(&self) -> Vec<String> {
        let mut lines = vec![
            "shared by all runs of a side: its boot, its provisioning and the first deploy"
                .to_owned(),
        ];
        let under = |side: &Side| !side.settings().is_empty();
        if self.sides.iter().any(under) {
            let line = "each repeat has a start of the containers under the firewall of its own, and with it their first lease";
            lines.push(line.into());
        }
        if self.sides.iter().any(|side| side.nixpkgs.is_some()) {
            let line = "that deploy came to rest when each container had its lease, or its requests had been refused";
            lines.push(line.into());
        }
        lines
    }

    fn comparison(
        &self,
        engines: &[Arc<Session>],
        scenarios: Vec<Compared>,
        interrupted: bool,
    ) -> Comparison {
        let side = |place: usize| verify::Side {
            variables: self.sides[place].variables.clone(),
            environment: engines
                .get(place)
                .map(|engine| engine.environment().clone()),
        };
        Comparison {
            version: verify::VERSION,
            base: side(0),
            change: side(1),
            repeat: self.args.repeat.get(),
            shared: self.shared(),
            overall: verify::overall(&scenarios, interrupted),
            scenarios,
        }
    }
}

/// The verdict of every scenario on `base` where neither side has such a layer: nothing was run that
/// could say anything of the change.
fn undecided(engines: &[Arc<Session>], base: Base) -> Option<Verdict> {
    let mut whys = vec![];
    for (name, engine) in NAMES.iter().zip(engines) {
        let verdict = engine.unprepared(base)?;
        whys.push(format!(
            "{name}: {}",
            spawnlab::report::text::essence(&verdict)
        ));
    }
    Some(Verdict::Infrastructure {
        error: format!(
            "neither side has the layer {}: {}",
            base.name(),
            whys.join("; ")
        ),
    })
}

/// Tells how it goes on. A failed run is no news here: a base is allowed to fail.
fn tell(event: &Event) {
    let line = match event {
        Event::StepFinished {
            step, took, result, ..
        } => {
            let took = millis(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
            match result {
                Ok(how) => format!("{how:<16} {step} ({took})"),
                Err(error) => format!("{:<16} {step} ({took}): {error}", "error"),
            }
        }
        Event::StepProgress { step, message } => format!("{:<16} {step}: {message}", ""),
        Event::EnvironmentKnown(environment) => format!(
            "{:<16} {}, {}, {}, {}",
            "environment",
            environment.image,
            environment.versions.get("os").map_or("", String::as_str),
            environment.accelerator,
            environment.tool
        ),
        Event::ScenarioFinished(record) if !matches!(record.verdict, Verdict::Skipped { .. }) => {
            format!(
                "{:<16} {} ({})",
                record.verdict.word(),
                record.name,
                millis(record.took_ms)
            )
        }
        Event::Interrupted => "interrupted: stopping what runs (once more: stop at once)".into(),
        _ => return,
    };
    print::stderr(&format!("{}\n", spawnlab::util::text::printable(&line)));
}
