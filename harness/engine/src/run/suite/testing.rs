//! The session of a test process, and the tests on clones of it.

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use camino::Utf8Path;
use libtest_mimic::{Completion, Failed};

use super::{Suite, environment::LabEnvironment, libtest::lock, report};
use crate::{
    report::{
        drive::{Driver, drive},
        terminal::Terminal,
        text,
    },
    run::{
        config::{RunConfig, RunPolicy, Target},
        runner::{self, Interrupt},
        selection::Selected,
        session::Session,
    },
    scenario::adapter::GivenTool,
    util::error::{Error, Result},
    verdict::{
        Verdict,
        event::{Event, Events, Record, Summary},
    },
};

pub(super) struct Testing {
    session: Arc<Session>,
    options: runner::Options,
    events: Events,
    driver: Mutex<Option<Driver>>,
    records: Mutex<Vec<Record>>,
    begin: Instant,
}

impl Testing {
    /// Makes the layers that `selected` start from, and a report.
    pub(super) async fn open(
        suite: &Suite,
        environment: &LabEnvironment,
        selected: &[Selected],
    ) -> std::result::Result<Self, String> {
        let begin = Instant::now();
        let (events, receiver) = Events::channel();
        // The test runner tells how tests end; what is told here is what comes before them.
        let mut terminal = Terminal::plain(Box::new(std::io::stderr()));
        let tell = move |event: &Event| {
            if !matches!(event, Event::ScenarioFinished(_) | Event::RunFinished(_)) {
                terminal.tell(event);
            }
        };
        let (path, dir) = report::folder(environment.report.as_deref())?;
        let driver = drive(receiver, tell, dir).map_err(text_of)?;
        events.send(Event::RunStarted {
            selected: selected.len(),
            report_dir: path.clone(),
            request: None,
        });
        let session = match session(suite, environment, selected, &path, &events).await {
            Ok(session) => session,
            Err(error) => {
                let error = error.to_string();
                let summary = Summary::broken(&error, begin.elapsed());
                events.send(Event::RunFinished(Box::new(summary)));
                drop(events);
                let _ = driver.finish();
                return Err(error);
            }
        };
        let mut options = runner::Options::new(path);
        // The test runner says how many at once; other processes of its kind say so, too.
        options.slots = Some(session.slots(None).map_err(text_of)?);
        Ok(Self {
            session,
            options,
            events,
            driver: Mutex::new(Some(driver)),
            records: Mutex::new(vec![]),
            begin,
        })
    }

    pub(super) async fn test(&self, selected: Selected) -> std::result::Result<Completion, Failed> {
        let tasks = vec![self.session.task(selected)];
        let finished = runner::run(tasks, &self.options, &Interrupt::never(), &self.events).await;
        let mut outcome = Err(Failed::from("the session made no task of it"));
        for record in finished.records {
            outcome = judge(&record, &self.options.report_dir);
            lock(&self.records).push(record);
        }
        outcome
    }

    /// Writes the report.
    pub(super) fn finish(&self) {
        let summary = Summary::of(&lock(&self.records), false, self.begin.elapsed());
        self.events.send(Event::RunFinished(Box::new(summary)));
        if let Some(driver) = lock(&self.driver).take() {
            if let (_, Err(error)) = driver.finish() {
                eprintln!("error: report: {error}");
            }
        }
    }
}

async fn session(
    suite: &Suite,
    environment: &LabEnvironment,
    selected: &[Selected],
    dir: &Utf8Path,
    events: &Events,
) -> Result<Arc<Session>> {
    let tool = environment.tool.clone().map(GivenTool::Program);
    let (tool, promises) = suite.tested(tool, environment.promises.clone())?;
    let target = Target {
        image: environment.image.clone(),
        guest: environment.guest.clone(),
        accel: environment.accel,
        tool,
        promises,
        own: suite.own,
        variables: suite.variables.clone(),
        ..Target::of(suite.fixture.clone())
    };
    let (given, package, program) = (environment.clone(), package(), target_name());
    let again = move |name: &str| given.again(&package, &program, name);
    let policy = RunPolicy {
        known: Arc::new(suite.known_bugs().map_err(Error::Given)?),
        keep: environment.keep,
        ..RunPolicy::once(Arc::new(again))
    };
    let config = RunConfig { target, policy };
    Session::for_selected(config, selected, dir, events).await
}

/// The crate whose tests these are.
fn package() -> String {
    std::env::var("CARGO_PKG_NAME").unwrap_or_default()
}

/// The test target: what cargo calls the program, without the hash behind it.
fn target_name() -> String {
    let program = std::env::current_exe().unwrap_or_default();
    let name = program.file_stem().unwrap_or_default().to_string_lossy();
    match name.rsplit_once('-') {
        Some((target, _)) => target.to_owned(),
        None => name.into_owned(),
    }
}

fn judge(record: &Record, report_dir: &Utf8Path) -> std::result::Result<Completion, Failed> {
    match &record.verdict {
        Verdict::Skipped { why } => Ok(Completion::ignored_with(why)),
        verdict if verdict.is_expected() => Ok(Completion::Completed),
        verdict => Err(format!("{}\n{}", verdict.word(), text::problem(record, report_dir)).into()),
    }
}

fn text_of(error: impl std::fmt::Display) -> String {
    error.to_string()
}
