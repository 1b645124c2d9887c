//! The scenarios as tests: `cargo test -p scenarios --test vm` and `cargo nextest run` know them by the
//! names that `spawnlab list` shows. Saboteurs are there, too, as ignored tests: `-- --ignored`
//! proves them.
//!
//! There is no command line for the lab here. `SPAWNLAB_TOOL`, `SPAWNLAB_PROMISES`, `SPAWNLAB_IMAGE`,
//! `SPAWNLAB_ACCEL` and `SPAWNLAB_KEEP` mean what the options of `spawnlab run` mean, and
//! `SPAWNLAB_REPORT` names the report's folder.

use std::{
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use camino::{Utf8Path, Utf8PathBuf};
use clap::Parser;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use scenarios::{
    cli::{again::Again, args::LabArgs, report_dir, trouble::Trouble},
    engine::Engine,
    registry::{Chosen, to_prove, to_run},
};
use spawnlab::{
    event::{Event, Events, Record, Summary},
    report::{
        dir::point_latest,
        drive::{Driver, drive},
        terminal::Terminal,
        text,
    },
    runner::{self, Interrupt},
    verdict::Verdict,
};
use tokio::{runtime::Runtime, sync::OnceCell};

/// The environment, read as a command line without words.
#[derive(Debug, Parser)]
struct Environment {
    #[command(flatten)]
    lab: LabArgs,
    #[arg(long, env = "SPAWNLAB_REPORT")]
    report: Option<Utf8PathBuf>,
}

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let bench = match Bench::new() {
        Ok(bench) => Arc::new(bench),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let all: Vec<Chosen> = to_run().into_iter().chain(to_prove()).collect();
    let trials: Vec<Trial> = all
        .iter()
        .map(|&chosen| {
            let bench = bench.clone();
            Trial::ignorable_test(chosen.full_name(), move || bench.test(chosen))
                .with_ignored_flag(chosen.saboteur.is_some())
        })
        .collect();
    let selected = all.iter().zip(&trials).filter(|(_, trial)| {
        // The engine makes only those layers that something starts from.
        !args.is_filtered_out(trial) && !args.is_ignored(trial)
    });
    *lock(&bench.selected) = selected.map(|(chosen, _)| *chosen).collect();
    let conclusion = libtest_mimic::run(&args, trials);
    bench.finish();
    conclusion.exit_code()
}

/// What all tests of this process share; nothing is opened before the first one runs.
struct Bench {
    runtime: Runtime,
    environment: Environment,
    selected: Mutex<Vec<Chosen>>,
    session: OnceCell<Result<Session, String>>,
}

struct Session {
    engine: Engine,
    options: runner::Options,
    events: Events,
    driver: Mutex<Option<Driver>>,
    records: Mutex<Vec<Record>>,
    begin: Instant,
}

impl Bench {
    fn new() -> Result<Self, Box<dyn std::error::Error>> {
        Ok(Self {
            runtime: Runtime::new()?,
            environment: Environment::try_parse_from(["vm"])?,
            selected: Mutex::default(),
            session: OnceCell::new(),
        })
    }

    fn test(&self, chosen: Chosen) -> Result<Completion, Failed> {
        self.runtime.block_on(async {
            let selected = lock(&self.selected).clone();
            let session = self
                .session
                // What can't be opened is not tried again for every test.
                .get_or_init(async || Session::open(&self.environment, &selected).await)
                .await
                .as_ref()?;
            session.test(chosen).await
        })
    }

    fn finish(&self) {
        if let Some(Ok(session)) = self.session.get() {
            let _in_runtime = self.runtime.enter();
            session.finish();
        }
    }
}

impl Session {
    async fn open(environment: &Environment, selected: &[Chosen]) -> Result<Self, String> {
        let begin = Instant::now();
        let again = Again::by_cargo(&environment.lab);
        let options = environment.lab.options(again).map_err(text_of)?;
        let (events, receiver) = Events::channel();
        // The test runner tells how tests end; what is told here is what comes before them.
        let mut terminal = Terminal::plain(Box::new(std::io::stderr()));
        let tell = move |event: &Event| {
            if !matches!(event, Event::ScenarioFinished(_) | Event::RunFinished(_)) {
                terminal.tell(event);
            }
        };
        let (path, dir) = report(environment.report.as_deref())?;
        let driver = drive(receiver, tell, dir).map_err(text_of)?;
        events.send(Event::RunStarted {
            selected: selected.len(),
            report_dir: path.clone(),
        });
        let engine = Engine::open(options, selected, &path, &events)
            .await
            .map_err(text_of);
        if let Err(error) = &engine {
            let summary = Summary::broken(error, begin.elapsed());
            events.send(Event::RunFinished(Box::new(summary)));
            let _ = driver.finish();
            return Err(error.clone());
        }
        let engine = engine?;
        let mut options = runner::Options::new(path);
        // The test runner says how many at once; other processes of its kind say so, too.
        options.slots = Some(engine.slots(None).map_err(text_of)?);
        Ok(Self {
            engine,
            options,
            events,
            driver: Mutex::new(Some(driver)),
            records: Mutex::new(vec![]),
            begin,
        })
    }

    async fn test(&self, chosen: Chosen) -> Result<Completion, Failed> {
        let jobs = vec![self.engine.job(chosen)];
        let finished = runner::run(jobs, &self.options, &Interrupt::never(), &self.events).await;
        let mut outcome = Err(Failed::from("the engine made no job of it"));
        for record in finished.records {
            outcome = judge(&record, &self.options.report_dir);
            lock(&self.records).push(record);
        }
        outcome
    }

    fn finish(&self) {
        let summary = Summary::of(&lock(&self.records), false, self.begin.elapsed());
        self.events.send(Event::RunFinished(Box::new(summary)));
        if let Some(driver) = lock(&self.driver).take() {
            if let (_, Err(error)) = driver.finish() {
                eprintln!("error: report: {error}");
            }
        }
    }
}

/// The report's folder, and whether this process is the one that writes the whole report: under
/// nextest there is one process for each test, and the report is nextest's own.
fn report(
    named: Option<&Utf8Path>,
) -> Result<(Utf8PathBuf, Option<spawnlab::report::dir::Dir>), String> {
    let Ok(run) = std::env::var("NEXTEST_RUN_ID") else {
        let dir = report_dir::open(named).map_err(text_of::<Trouble>)?;
        return Ok((dir.path().to_owned(), Some(dir)));
    };
    let path = match named {
        Some(named) => named.to_owned(),
        None => {
            let (runs, name) = (report_dir::runs(), format!("nextest-{run}"));
            let path = runs.join(&name);
            fs_err::create_dir_all(&path).map_err(text_of)?;
            point_latest(&runs, &name).map_err(text_of)?;
            path
        }
    };
    Ok((path, None))
}

fn judge(record: &Record, report_dir: &Utf8Path) -> Result<Completion, Failed> {
    match &record.verdict {
        Verdict::Skipped { why } => Ok(Completion::ignored_with(why)),
        verdict if verdict.is_expected() => Ok(Completion::Completed),
        verdict => Err(format!("{}\n{}", verdict.word(), text::problem(record, report_dir)).into()),
    }
}

fn text_of<E: std::fmt::Display>(error: E) -> String {
    error.to_string()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
