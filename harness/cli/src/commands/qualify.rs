//! `spawnlab qualify`: the cases of a matrix, one after the other, told on one page.

use std::{fmt::Write as _, sync::Arc, time::Instant};

use spawnlab::{
    campaign::{
        case::Case,
        qualify::{self, CaseReport, Missing, Qualification},
    },
    report::{dir::Dir, terminal::Terminal},
    run::{
        config::RunConfig, known::Known, runner::Interrupt, selection::Selected,
        stability::Stability, suite::Suite,
    },
};
use tokio::runtime::Handle;

use crate::{
    args::qualify::QualifyArgs,
    commands::{
        cases::{Runner, reported},
        qualify_files,
        qualify_plan::{self, Cases},
    },
    lab::{
        before_qualify::EarlierQualification,
        known,
        ledger::{self, Counter},
        report_dir,
    },
    output::{error::CliError, exit::Exit, print, signals},
};

/// Runs the cases of `args`, and reports them.
pub(crate) async fn qualify(
    args: &QualifyArgs,
    suite: &Suite,
    bodies: Handle,
) -> Result<Exit, CliError> {
    // What can be wrong with the command line is found out before anything is written or started.
    let before = match &args.failed {
        Some(named) => {
            let runs = report_dir::runs();
            Some(EarlierQualification::open(named.as_deref(), &runs)?)
        }
        None => None,
    };
    if let Some(before) = before.as_ref().filter(|before| before.open.is_empty()) {
        return match args.list {
            true => list(args, &[]),
            false => {
                print::stdout(&format!("{}\n", before.nothing()))?;
                Ok(Exit::AsExpected)
            }
        };
    }
    let (args, same) = match &before {
        Some(before) => args.as_before(before)?,
        None => (args.clone(), String::new()),
    };
    let args = &args;
    let Cases { plan, mut all } = qualify_plan::cases(args, suite, before.as_ref())?;
    if let Some(shard) = args.shard {
        all.retain(|(cell, _)| shard.holds(&cell.name()));
    }
    if args.list {
        return list(args, &all);
    }
    if let Some(before) = &before {
        let scenarios = all.iter().map(|(_, wanted)| wanted.len()).sum();
        print::stdout(&format!("{}{same}\n", before.intro(scenarios, all.len())))?;
    }
    qualify_plan::check_given(&all, suite)?;
    let known = Arc::new(known::read(args.known.as_deref(), suite, &suite.names())?);
    let (known_runs, counter) = ledger::open();
    let stability = Arc::new(Stability::of(known_runs, false));
    let shard = args.shard.map(|shard| shard.to_string());
    let mut qualification = Qualification {
        request: Some(qualify_plan::request(args)),
        ..Qualification::begun(plan, shard, all.iter().map(|(cell, _)| cell))
    };
    let dir = qualify_files::open(args.report.as_deref(), &qualification)?;
    let interrupt =
        signals::listen().map_err(|error| CliError::infrastructure("signals", error))?;
    let begin = Instant::now();
    let count = all.len();
    for (position, (cell, wanted)) in all.iter().enumerate() {
        if interrupt.is_raised() {
            break;
        }
        let name = cell.name();
        print::stdout(&format!("\n== case {} of {count}: {name}\n", position + 1))?;
        let mut config = qualify_plan::config(args, suite, cell)?;
        config.policy.known = Arc::<Known>::clone(&known);
        config.policy.stability = Arc::clone(&stability);
        let case = &mut qualification.cases[position];
        let below = Dir::at(&dir.path().join(&case.folder))
            .map_err(|error| CliError::infrastructure("report", error))?;
        let runner = Runner {
            jobs: args.jobs,
            fail_fast: false,
            bodies: bodies.clone(),
            interrupt: &interrupt,
            dir: &below,
            request: None,
        };
        run(&runner, config, wanted, case, &counter).await?;
        qualification.took_ms = millis(begin);
        qualification.interrupted = interrupt.is_raised();
        // What has ended is kept, whatever becomes of the rest.
        qualify_files::keep(&qualification, &dir)?;
    }
    qualification.took_ms = millis(begin);
    qualification.interrupted = not_whole(&qualification, &interrupt);
    qualify_files::write(&qualification, &dir)?;
    let again = match (
        &qualification.request,
        qualification.unfinished().as_slice(),
    ) {
        (Some(request), [_, ..]) => format!("again    {}\n", request.again),
        _ => String::new(),
    };
    print::stdout(&format!(
        "\n{}{again}report in {dir}\n",
        qualify::page(&qualification).terminal()
    ))?;
    Ok(Exit::from(qualification.outcome()))
}

/// Runs one case in its folder, and takes down what came of it.
async fn run(
    runner: &Runner<'_>,
    config: RunConfig,
    wanted: &[Selected],
    case: &mut CaseReport,
    counter: &Counter,
) -> Result<(), CliError> {
    let begin = Instant::now();
    let (ran, told, kept) = reported(Terminal::stdout(), runner.dir, async |events| {
        let ran = runner.run_each(config, wanted, events).await;
        (ran.summary.clone(), ran)
    })
    .await?;
    kept.map_err(|error| CliError::infrastructure("report", error))?;
    case.environment.clone_from(&told.environment);
    counter.count(told).await;
    case.records = ran.finished.records;
    case.took_ms = millis(begin);
    case.missing = match ran.summary.error {
        Some(error) => Some(Missing::Infrastructure(error)),
        None if ran.summary.interrupted => Some(Missing::Interrupted),
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

fn list(args: &QualifyArgs, all: &[(Case, Vec<Selected>)]) -> Result<Exit, CliError> {
    let planned: Vec<qualify::Planned> = all
        .iter()
        .map(|(cell, wanted)| qualify::Planned {
            name: cell.name(),
            scenarios: wanted.iter().map(Selected::full_name).collect(),
        })
        .collect();
    let text = if args.json {
        serde_json::to_string_pretty(&planned)
            .map_err(|error| CliError::infrastructure("list", error))?
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
