//! `spawnlab run` and `spawnlab prove`: they differ in what they take from the registry.

use std::{num::NonZeroU32, sync::Arc};

use spawnlab::{
    Error,
    report::terminal::{Terminal, Volume},
    run::{
        selection::{self, Selected},
        stability::Stability,
        suite::Suite,
    },
    scenario::lab::ITERATIONS,
    verdict::event::RunRequest,
};
use tokio::runtime::Handle;

use crate::{
    args::{OnUnstable, RunArgs, Selection},
    commands::cases::{Runner, remembering, reported},
    lab::{
        before::EarlierRun,
        known, ledger, report_dir,
        rerun::{self, Rerun},
        select::select,
    },
    output::{error::CliError, exit::Exit, print, signals},
};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Run,
    Prove,
}

impl What {
    fn verb(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Prove => "prove",
        }
    }
}

/// Runs what `args` select, and reports it.
pub(crate) async fn run(
    args: &RunArgs,
    what: What,
    suite: &Suite,
    bodies: Handle,
) -> Result<Exit, CliError> {
    // What can be wrong with the command line is found out before anything is written or started.
    let before = match &args.failed {
        Some(named) => Some(EarlierRun::open(
            named.as_deref(),
            &report_dir::runs(),
            what.verb(),
        )?),
        None => None,
    };
    if let Some(before) = before.as_ref().filter(|before| before.names.is_empty()) {
        print::stdout(&format!("{}\n", before.nothing()))?;
        return Ok(Exit::AsExpected);
    }
    let (args, same) = match &before {
        Some(before) => args.as_before(before)?,
        None => (args.clone(), String::new()),
    };
    let args = &args;
    let source = args.source.open(suite)?;
    let mut all = match what {
        What::Run => selection::to_run(source.scenarios()),
        What::Prove => selection::to_prove(source.scenarios()),
    };
    if let Some(before) = &before {
        let gone = before.retain(&mut all)?;
        if !args.quiet {
            print::stdout(&format!("{}{same}\n", before.intro(&gone)))?;
        }
    }
    if let (What::Prove, [], Some(file)) = (what, all.as_slice(), &args.source.file) {
        return Err(CliError::nothing(
            format!("file {file}"),
            "no scenario in it names a saboteur",
        )
        .hint("docs/spawnlab-toml.md shows what one looks like"));
    }
    let selected = match args.soak || before.is_some() {
        true => selected(all, &args.selection)?,
        false => ordinary(all, &args.selection)?,
    };
    let again = again(args, what);
    let request = request(args, what, &again, &selected);
    let mut config = source.config(suite, &args.lab, again)?;
    config.policy.repeat = args.repeat.unwrap_or(NonZeroU32::MIN);
    config.policy.iterations = args.iterations.unwrap_or(ITERATIONS);
    if let Some(file) = &args.known {
        let names = selection::names(source.scenarios());
        config.policy.known = Arc::new(known::read(Some(file), suite, &names)?);
    }
    let (known_runs, counter) = ledger::open();
    let gates = args.unstable == Some(OnUnstable::Fail);
    config.policy.stability = Arc::new(Stability::of(known_runs, gates));
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
        request: Some(Box::new(request)),
    };
    let (ran, told, kept) = reported(terminal, &dir, async |events| {
        let ran = runner.run_each(config, &selected, events).await;
        (ran.summary.clone(), ran)
    })
    .await?;
    counter.count(told).await;
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

/// The command that runs one scenario of `args` again.
fn again(args: &RunArgs, what: What) -> Rerun {
    let mut again = Rerun::new(&[&rerun::program(), what.verb()], &args.lab);
    let mut option = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            again = again.clone().with(name, value);
        }
    };
    let repeat = args.repeat.filter(|repeat| repeat.get() > 1);
    option("--repeat", repeat.map(|repeat| repeat.to_string()));
    let iterations = args.iterations.filter(|number| *number != ITERATIONS);
    option("--loops", iterations.map(|number| number.to_string()));
    let file = args.source.file.as_ref();
    option("--file", file.map(ToString::to_string));
    let gates = args.unstable == Some(OnUnstable::Fail);
    option("--unstable", gates.then(|| "fail".to_owned()));
    option("--known", args.known.as_ref().map(ToString::to_string));
    again
}

/// What a later `--failed` has to know of this run.
fn request(args: &RunArgs, what: What, again: &Rerun, selected: &[Selected]) -> RunRequest {
    let program = rerun::program();
    let mut words = vec![program.as_str(), what.verb(), "--failed"];
    // A dated report is the newest one.
    words.extend(args.report.as_ref().map(|dir| dir.as_str()));
    RunRequest {
        command: what.verb().to_owned(),
        options: again.options(),
        repeat: args.repeat.map_or(1, NonZeroU32::get),
        scenarios: selected.iter().map(Selected::full_name).collect(),
        again: rerun::joined(words),
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
        let cli_error = CliError::nothing("filter", format!("no {kind} {:?}", unknown.filter));
        match unknown.close.as_slice() {
            [] => cli_error.hint("`spawnlab list` shows all names"),
            close => cli_error.hint(format!("did you mean {}?", close.join(" or "))),
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

/// The same without what only soak runs have, but for scenarios whose full names are filters.
///
/// # Errors
/// Also when nothing else is selected.
pub(crate) fn ordinary(
    all: Vec<Selected>,
    selection: &Selection,
) -> Result<Vec<Selected>, CliError> {
    let mut found = selected(all, selection)?;
    let named = |selected: &Selected| {
        let names = [selected.full_name(), selected.scenario.full_name()];
        names.iter().any(|name| selection.filters.contains(name))
    };
    found.retain(|selected| !selected.scenario.soak || named(selected));
    if found.is_empty() {
        let why = "what is selected is part of soak runs only";
        return Err(CliError::nothing("selection", why)
            .hint("with --soak, which `run`, `prove` and `qualify` have, it runs"));
    }
    Ok(found)
}
