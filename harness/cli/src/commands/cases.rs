//! Runs cases: opens a session for each, and runs tasks on them while reporters are at work.

use std::{io, num::NonZeroUsize, sync::Arc, time::Instant};

use camino::Utf8PathBuf;
use spawnlab::{
    Error,
    report::{
        dir::Dir,
        drive::drive,
        durations::{self, DurationHistory},
        run::Run,
        terminal::Terminal,
    },
    run::{
        config::RunConfig,
        runner::{self, Finished, Interrupt},
        selection::Selected,
        session::{Session, cache},
        task::Task,
    },
    verdict::event::{Event, Events, RunRequest, Summary},
};
use tokio::runtime::Handle;

use crate::output::error::CliError;

/// How cases are run, and in which folder.
pub(crate) struct Runner<'a> {
    pub(crate) jobs: Option<NonZeroUsize>,
    pub(crate) fail_fast: bool,
    pub(crate) bodies: Handle,
    pub(crate) interrupt: &'a Interrupt,
    pub(crate) dir: &'a Dir,
    /// What was asked for, if it can be asked for again.
    pub(crate) request: Option<Box<RunRequest>>,
}

/// What came of cases that ran together.
pub(crate) struct Ran {
    pub(crate) summary: Summary,
    /// The sessions, in the order of the cases; none if nothing could be run.
    pub(crate) sessions: Vec<Arc<Session>>,
    /// The records, in the order of the tasks; none if nothing could be run.
    pub(crate) finished: Finished,
    /// The name of the case that the lab failed for, and why.
    pub(crate) failed: Option<(String, Box<Error>)>,
}

impl Runner<'_> {
    /// Runs each of `wanted` as `config` says: one case.
    pub(crate) async fn run_each(
        &self,
        config: RunConfig,
        wanted: &[Selected],
        events: &Events,
    ) -> Ran {
        let tasks = |sessions: &[Arc<Session>]| {
            let task = |session: &Arc<Session>| {
                let tasks = wanted.iter().map(|one| session.task(*one));
                tasks.collect::<Vec<_>>()
            };
            sessions.iter().flat_map(task).collect()
        };
        let stability = Arc::clone(&config.policy.stability);
        let cases = vec![("", config)];
        let ran = self.run(cases, wanted, wanted.len(), tasks, events).await;
        if let Some(session) = ran.sessions.first() {
            let names: Vec<String> = wanted.iter().map(Selected::full_name).collect();
            let known = stability.excerpt(&names, session.environment());
            let kept = known.map_or(Ok(()), |known| self.dir.write_history(&known));
            // The page does without.
            if let Err(error) = kept {
                tracing::warn!(%error, "what was before is not in the report");
            }
        }
        ran
    }

    /// Opens a session for each of `cases`, which have names if there is more than one, with the layers
    /// that `wanted` start from, and runs the `selected` tasks that `tasks` makes for them.
    pub(crate) async fn run(
        &self,
        cases: Vec<(&str, RunConfig)>,
        wanted: &[Selected],
        selected: usize,
        tasks: impl FnOnce(&[Arc<Session>]) -> Vec<Task>,
        events: &Events,
    ) -> Ran {
        let begin = Instant::now();
        events.send(Event::RunStarted {
            selected,
            report_dir: self.dir.path().to_owned(),
            request: self.request.clone(),
        });
        let mut ran = Ran {
            summary: Summary::of(&[], false, begin.elapsed()),
            sessions: vec![],
            finished: Finished {
                records: vec![],
                interrupted: false,
            },
            failed: None,
        };
        let several = cases.len() > 1;
        let opened = tokio::select! {
            biased;
            () = self.interrupt.raised() => {
                events.send(Event::Interrupted);
                ran.finished.interrupted = true;
                ran.summary = ran.finished.summary(begin.elapsed());
                return ran;
            }
            opened = Box::pin(self.open(cases, wanted, events)) => opened,
        };
        let mut how = runner::Options::new(self.dir.path());
        how.bodies = Some(self.bodies.clone());
        how.fail_fast = self.fail_fast;
        let ready = opened.and_then(|sessions| {
            if let Some(session) = sessions.first() {
                how.admit(self.jobs, session.slots(self.jobs))
                    .map_err(|error| ("the clones".to_owned(), Box::new(error)))?;
            }
            Ok(sessions)
        });
        match ready {
            Ok(sessions) => {
                let tasks = tasks(&sessions);
                ran.sessions = sessions;
                ran.finished = runner::run(tasks, &how, self.interrupt, events).await;
                ran.summary = ran.finished.summary(begin.elapsed());
            }
            Err((name, error)) => {
                let told = match several {
                    true => format!("{name}: {error}"),
                    false => error.to_string(),
                };
                ran.summary = Summary::broken(told, begin.elapsed());
                ran.failed = Some((name, error));
            }
        }
        ran
    }

    async fn open(
        &self,
        cases: Vec<(&str, RunConfig)>,
        wanted: &[Selected],
        events: &Events,
    ) -> Result<Vec<Arc<Session>>, (String, Box<Error>)> {
        let several = cases.len() > 1;
        let mut sessions = vec![];
        for (name, config) in cases {
            let mut below: Utf8PathBuf = self.dir.path().to_owned();
            if several {
                below.extend(["layers", name]);
                let case = name.to_owned();
                events.send(Event::CaseStarted { case });
            }
            let session = Session::for_selected(config, wanted, &below, events).await;
            sessions.push(session.map_err(|error| (name.to_owned(), Box::new(error)))?);
        }
        Ok(sessions)
    }
}

/// `terminal` with the memory of how long things took on this machine, where there is a cache.
pub(crate) fn remembering(terminal: Terminal) -> Terminal {
    match cache() {
        Ok(cache) => {
            let file = cache.root().join(durations::FILE);
            terminal.remembering(DurationHistory::read(&file))
        }
        Err(_) => terminal,
    }
}

/// Does `work`, whose events `terminal` tells and `dir` keeps. What was told comes back, and whether it
/// could be kept.
///
/// # Errors
/// Reporters that can't be started.
pub(crate) async fn reported<T>(
    mut terminal: Terminal,
    dir: &Dir,
    work: impl AsyncFnOnce(&Events) -> (Summary, T),
) -> Result<(T, Run, io::Result<()>), CliError> {
    let cli_error = |error: io::Error| CliError::infrastructure("reporters", error);
    let (events, receiver) = Events::channel();
    let driver = drive(
        receiver,
        move |event| terminal.tell(event),
        Some(dir.clone()),
    );
    let driver = driver.map_err(cli_error)?;
    let (summary, value) = work(&events).await;
    events.send(Event::RunFinished(Box::new(summary)));
    drop(events);
    let finished = tokio::task::spawn_blocking(|| driver.finish()).await;
    let (run, kept) = finished.map_err(|error| cli_error(error.into()))?;
    Ok((value, run, kept))
}
