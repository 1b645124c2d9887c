//! `spawnlab run` and `spawnlab prove`: they differ in what they take from the registry.

use std::{num::NonZeroUsize, sync::Arc, time::Instant};

use spawnlab::{
    report::{
        dir::Dir,
        drive::drive,
        terminal::{Terminal, Volume},
        usual::{self, Usual},
    },
    run::runner::{self, Interrupt},
    scenario::lab::LOOPS,
    verdict::event::{Event, Events, Record, Summary},
};
use tokio::runtime::Handle;

use crate::{
    args::{RunArgs, Selection},
    lab::{known, report_dir, rerun::Again, select::select},
    output::{error::Trouble, exit::Exit, signals},
};
use spawnlab::run::{
    config::RunConfig,
    selection::Selected,
    session::{self, Session as Lab},
    suite::Suite,
};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Run,
    Prove,
}

/// Runs what `args` select, and reports it.
pub(crate) async fn run(
    args: &RunArgs,
    what: What,
    suite: &Suite,
    bodies: Handle,
) -> Result<Exit, Trouble> {
    // What can be wrong with the command line is found out before anything is written or started.
    let source = args.source.open(suite)?;
    let (verb, all) = match what {
        What::Run => ("run", source.to_run()),
        What::Prove => ("prove", source.to_prove()),
    };
    if let (What::Prove, [], Some(file)) = (what, all.as_slice(), &args.source.file) {
        return Err(
            Trouble::nothing(format!("file {file}"), "no scenario in it names a saboteur")
                .hint("docs/spawnlab-toml.md shows what one looks like"),
        );
    }
    let chosen = selected(all, &args.selection)?;
    let program = std::env::var("SPAWNLAB_COMMAND").unwrap_or_else(|_| "spawnlab".into());
    let mut again = Again::new(&[&program, verb], &args.lab);
    if args.repeat.get() > 1 {
        again = again.with("--repeat", args.repeat.to_string());
    }
    if args.loops != LOOPS {
        again = again.with("--loops", args.loops.to_string());
    }
    if let Some(file) = &args.source.file {
        again = again.with("--file", file.to_string());
    }
    let mut config = source.config(suite, &args.lab, again)?;
    config.policy.repeat = args.repeat;
    config.policy.loops = args.loops;
    if let Some(file) = &args.known {
        config.policy.known = Arc::new(known::read(Some(file), suite, &source.names())?);
    }
    let dir = report_dir::open(args.report.as_deref())?;

    let (events, receiver) = Events::channel();
    let volume = match (args.quiet, args.verbose) {
        (true, _) => Volume::Quiet,
        (_, true) => Volume::Verbose,
        _ => Volume::Normal,
    };
    let mut terminal = Terminal::stdout().with_volume(volume);
    if let Ok(cache) = session::cache() {
        terminal = terminal.remembering(Usual::read(&cache.root().join(usual::FILE)));
    }
    let driver = drive(
        receiver,
        move |event| terminal.tell(event),
        Some(dir.clone()),
    )
    .map_err(|error| Trouble::infrastructure("reporters", error))?;
    let interrupt = signals::listen().map_err(|error| Trouble::infrastructure("signals", error))?;
    let how = Session {
        jobs: args.jobs,
        fail_fast: args.fail_fast,
        bodies,
        interrupt: &interrupt,
    };
    let (summary, _, given) = how.run(config, &chosen, &dir, &events).await;
    events.send(Event::RunFinished(Box::new(summary.clone())));
    drop(events);

    let (_, kept) = tokio::task::spawn_blocking(|| driver.finish())
        .await
        .map_err(|error| Trouble::infrastructure("reporters", error))?;
    let exit = match given {
        true => Exit::Usage,
        false => Exit::from(&summary),
    };
    match (kept, exit) {
        (Err(error), Exit::AsExpected) => Err(Trouble::infrastructure("report", error)
            .hint("the verdicts above are true, but the report's files are not whole")),
        (Err(error), exit) => {
            let _ = Trouble::infrastructure("report", error).print();
            Ok(exit)
        }
        (Ok(()), exit) => Ok(exit),
    }
}

/// How scenarios are run.
pub(crate) struct Session<'a> {
    pub(crate) jobs: Option<NonZeroUsize>,
    pub(crate) fail_fast: bool,
    pub(crate) bodies: Handle,
    pub(crate) interrupt: &'a Interrupt,
}

impl Session<'_> {
    /// Runs `chosen` as `options` say, below `dir`. The records are in the order of `chosen`; there are
    /// none if nothing could be run. The last value is whether that is for something that the user gave.
    pub(crate) async fn run(
        &self,
        config: RunConfig,
        chosen: &[Selected],
        dir: &Dir,
        events: &Events,
    ) -> (Summary, Vec<Record>, bool) {
        let begin = Instant::now();
        events.send(Event::RunStarted {
            selected: chosen.len(),
            report_dir: dir.path().to_owned(),
        });
        let engine = tokio::select! {
            biased;
            () = self.interrupt.raised() => {
                events.send(Event::Interrupted);
                return (Summary::of(&[], true, begin.elapsed()), vec![], false);
            }
            engine = Box::pin(Lab::for_selected(config, chosen, dir.path(), events)) => engine,
        };
        let broken = |error: spawnlab::Error| {
            let given = matches!(error, spawnlab::Error::Given(_));
            (Summary::broken(error, begin.elapsed()), vec![], given)
        };
        let engine = match engine {
            Ok(engine) => engine,
            Err(error) => return broken(error),
        };
        let tasks = chosen.iter().map(|chosen| engine.task(*chosen)).collect();
        let mut how = runner::Options::new(dir.path());
        how.bodies = Some(self.bodies.clone());
        if let Err(error) = how.admit(self.jobs, engine.slots(self.jobs)) {
            return broken(error);
        }
        how.fail_fast = self.fail_fast;
        let finished = runner::run(tasks, &how, self.interrupt, events).await;
        (finished.summary(begin.elapsed()), finished.records, false)
    }
}

/// Those of `all` that `selection` means.
pub(crate) fn selected(
    all: Vec<Selected>,
    selection: &Selection,
) -> Result<Vec<Selected>, Trouble> {
    let names: Vec<String> = all.iter().map(Selected::full_name).collect();
    let places = select(&names, &selection.filters, selection.exact).map_err(|unknown| {
        let kind = if selection.exact {
            "scenario is called"
        } else {
            "scenario's name contains"
        };
        let trouble = Trouble::nothing("filter", format!("no {kind} {:?}", unknown.filter));
        match unknown.close.as_slice() {
            [] => trouble.hint("`spawnlab list` shows all names"),
            close => trouble.hint(format!("did you mean {}?", close.join(" or "))),
        }
    })?;
    if places.is_empty() {
        return Err(Trouble::nothing("selection", "there are no scenarios"));
    }
    Ok(places.into_iter().map(|place| all[place]).collect())
}
