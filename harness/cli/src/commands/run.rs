//! `spawnlab run` and `spawnlab prove`: they differ in what they take from the registry.

use std::sync::Arc;

use spawnlab::{
    Error,
    report::terminal::{Terminal, Volume},
    run::{
        selection::{self, Selected},
        suite::Suite,
    },
    scenario::lab::ITERATIONS,
};
use tokio::runtime::Handle;

use crate::{
    args::{RunArgs, Selection},
    commands::cases::{Runner, remembering, reported},
    lab::{
        known, report_dir,
        rerun::{self, Rerun},
        select::select,
    },
    output::{error::CliError, exit::Exit, signals},
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
) -> Result<Exit, CliError> {
    // What can be wrong with the command line is found out before anything is written or started.
    let source = args.source.open(suite)?;
    let (verb, all) = match what {
        What::Run => ("run", selection::to_run(source.scenarios())),
        What::Prove => ("prove", selection::to_prove(source.scenarios())),
    };
    if let (What::Prove, [], Some(file)) = (what, all.as_slice(), &args.source.file) {
        return Err(CliError::nothing(
            format!("file {file}"),
            "no scenario in it names a saboteur",
        )
        .hint("docs/spawnlab-toml.md shows what one looks like"));
    }
    let selected = selected(all, &args.selection)?;
    let mut again = Rerun::new(&[&rerun::program(), verb], &args.lab);
    if args.repeat.get() > 1 {
        again = again.with("--repeat", args.repeat.to_string());
    }
    if args.iterations != ITERATIONS {
        again = again.with("--loops", args.iterations.to_string());
    }
    if let Some(file) = &args.source.file {
        again = again.with("--file", file.to_string());
    }
    let mut config = source.config(suite, &args.lab, again)?;
    config.policy.repeat = args.repeat;
    config.policy.iterations = args.iterations;
    if let Some(file) = &args.known {
        let names = selection::names(source.scenarios());
        config.policy.known = Arc::new(known::read(Some(file), suite, &names)?);
    }
    let dir = report_dir::open(args.report.as_deref())?;

    let volume = match (args.quiet, args.verbose) {
        (true, _) => Volume::Quiet,
        (_, true) => Volume::Verbose,
        _ => Volume::Normal,
    };
    let terminal = remembering(Terminal::stdout().with_volume(volume));
    let interrupt =
        signals::listen().map_err(|error| CliError::infrastructure("signals", error))?;
    let runner = Runner {
        jobs: args.jobs,
        fail_fast: args.fail_fast,
        bodies,
        interrupt: &interrupt,
        dir: &dir,
    };
    let (ran, _, kept) = reported(terminal, &dir, async |events| {
        let ran = runner.run_each(config, &selected, events).await;
        (ran.summary.clone(), ran)
    })
    .await?;
    let given = |(_, error): &(String, Box<Error>)| matches!(**error, Error::Given(_));
    let exit = match ran.failed.as_ref().is_some_and(given) {
        true => Exit::Usage,
        false => Exit::from(&ran.summary),
    };
    match (kept, exit) {
        (Err(error), Exit::AsExpected) => Err(CliError::infrastructure("report", error)
            .hint("the verdicts above are true, but the report's files are not whole")),
        (Err(error), exit) => {
            let _ = CliError::infrastructure("report", error).print();
            Ok(exit)
        }
        (Ok(()), exit) => Ok(exit),
    }
}

/// Those of `all` that `selection` means.
pub(crate) fn selected(
    all: Vec<Selected>,
    selection: &Selection,
) -> Result<Vec<Selected>, CliError> {
    let names: Vec<String> = all.iter().map(Selected::full_name).collect();
    let positions = select(&names, &selection.filters, selection.exact).map_err(|unknown| {
        let kind = if selection.exact {
            "scenario is called"
        } else {
            "scenario's name contains"
        };
        let trouble = CliError::nothing("filter", format!("no {kind} {:?}", unknown.filter));
        match unknown.close.as_slice() {
            [] => trouble.hint("`spawnlab list` shows all names"),
            close => trouble.hint(format!("did you mean {}?", close.join(" or "))),
        }
    })?;
    if positions.is_empty() {
        return Err(CliError::nothing("selection", "there are no scenarios"));
    }
    Ok(positions
        .into_iter()
        .map(|position| all[position])
        .collect())
}
