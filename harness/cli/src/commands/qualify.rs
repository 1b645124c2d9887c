//! `spawnlab qualify`: the cases of a matrix, one after the other, told on one page.

use std::{fmt::Write as _, sync::Arc, time::Instant};

use spawnlab::{
    campaign::qualify::{self, Case, Missing, Qualification, text},
    report::{dir::Dir, drive::drive, terminal::Terminal},
    run::{config::RunConfig, known::Known, runner::Interrupt, selection::Selected, suite::Suite},
    verdict::event::{Event, Events},
};
use tokio::runtime::Handle;

use crate::{
    args::qualify::QualifyArgs,
    commands::{
        qualify_files,
        qualify_plan::{self, Cases},
        run::Session,
    },
    lab::known,
    output::{error::Trouble, exit::Exit, print, signals},
};

/// Runs the cases of `args`, and reports them.
pub(crate) async fn qualify(
    args: &QualifyArgs,
    suite: &Suite,
    bodies: Handle,
) -> Result<Exit, Trouble> {
    // What can be wrong with the command line is found out before anything is written or started.
    let Cases { plan, mut all } = qualify_plan::cases(args, suite)?;
    if let Some(shard) = args.shard {
        all.retain(|(cell, _)| shard.holds(&cell.name()));
    }
    if args.list {
        return list(args, &all);
    }
    qualify_plan::check_given(&all)?;
    let known = Arc::new(known::read(args.known.as_deref(), suite, &suite.names())?);
    let shard = args.shard.map(|shard| shard.to_string());
    let mut qualification = Qualification::begun(plan, shard, all.iter().map(|(cell, _)| cell));
    let dir = qualify_files::open(args.report.as_deref(), &qualification)?;
    let interrupt = signals::listen().map_err(|error| Trouble::infrastructure("signals", error))?;
    let begin = Instant::now();
    let count = all.len();
    for (place, (cell, chosen)) in all.iter().enumerate() {
        if interrupt.is_raised() {
            break;
        }
        let name = cell.name();
        print::stdout(&format!("\n== case {} of {count}: {name}\n", place + 1))?;
        let mut config = qualify_plan::config(args, suite, cell)?;
        config.policy.known = Arc::<Known>::clone(&known);
        let session = Session {
            jobs: args.jobs,
            fail_fast: false,
            bodies: bodies.clone(),
            interrupt: &interrupt,
        };
        let case = &mut qualification.cases[place];
        run(&session, config, chosen, case, &dir).await?;
        qualification.took_ms = millis(begin);
        qualification.interrupted = interrupt.is_raised();
        // What has ended is kept, whatever becomes of the rest.
        qualify_files::keep(&qualification, &dir)?;
    }
    qualification.took_ms = millis(begin);
    qualification.interrupted = not_whole(&qualification, &interrupt);
    qualify_files::write(&qualification, &dir)?;
    print::stdout(&format!(
        "\n{}report in {dir}\n",
        text::render(&qualification)
    ))?;
    Ok(Exit::from(qualification.came()))
}

/// Runs one case in its folder, and takes down what came of it.
async fn run(
    session: &Session<'_>,
    config: RunConfig,
    chosen: &[Selected],
    case: &mut Case,
    dir: &Dir,
) -> Result<(), Trouble> {
    let begin = Instant::now();
    let below = Dir::at(&dir.path().join(&case.folder))
        .map_err(|error| Trouble::infrastructure("report", error))?;
    let (events, receiver) = Events::channel();
    let mut terminal = Terminal::stdout();
    let driver = drive(
        receiver,
        move |event| terminal.tell(event),
        Some(below.clone()),
    )
    .map_err(|error| Trouble::infrastructure("reporters", error))?;
    let (summary, records, _) = session.run(config, chosen, &below, &events).await;
    events.send(Event::RunFinished(Box::new(summary.clone())));
    drop(events);
    let (told, kept) = tokio::task::spawn_blocking(|| driver.finish())
        .await
        .map_err(|error| Trouble::infrastructure("reporters", error))?;
    kept.map_err(|error| Trouble::infrastructure("report", error))?;
    case.environment = told.environment;
    case.records = records;
    case.took_ms = millis(begin);
    case.missing = match summary.error {
        Some(error) => Some(Missing::Infrastructure(error)),
        None if summary.interrupted => Some(Missing::Interrupted),
        None => None,
    };
    Ok(())
}

/// Whether the interruption kept anything from being run.
fn not_whole(qualification: &Qualification, interrupt: &Interrupt) -> bool {
    interrupt.is_raised()
        && qualification
            .cases
            .iter()
            .any(|case| matches!(case.missing, Some(Missing::Interrupted | Missing::NotRun)))
}

fn list(
    args: &QualifyArgs,
    all: &[(qualify::matrix::Cell, Vec<Selected>)],
) -> Result<Exit, Trouble> {
    let planned: Vec<qualify::Planned> = all
        .iter()
        .map(|(cell, chosen)| qualify::Planned {
            name: cell.name(),
            scenarios: chosen.iter().map(Selected::full_name).collect(),
        })
        .collect();
    let text = if args.json {
        serde_json::to_string_pretty(&planned)
            .map_err(|error| Trouble::infrastructure("list", error))?
            + "\n"
    } else {
        let mut text = String::new();
        for case in &planned {
            let _ = writeln!(
                text,
                "{}\n    {} scenarios",
                case.name,
                case.scenarios.len()
            );
        }
        text
    };
    print::stdout(&text)?;
    Ok(Exit::AsExpected)
}

fn millis(begin: Instant) -> u64 {
    u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX)
}
