//! From arguments to an exit code, for a suite.

use std::{future::Future, process::ExitCode, time::Duration};

use clap::{CommandFactory, FromArgMatches};
use spawnlab::run::suite::Suite;
use tokio::runtime::{Builder, Handle};

use crate::{
    args::{Cli, Command, help, verify::VERDICTS},
    commands::{
        bench, completions, doctor, explain, history, image, layers, list, man, qualify, report,
        resume, run, shell, verify,
    },
    lab::side,
    output::{error::CliError, exit::Exit, signals::unless_interrupted},
};

/// The command line with what `suite` adds to its help.
#[must_use]
pub fn command(suite: &Suite) -> clap::Command {
    let variables = side::help(suite);
    Cli::command().mut_subcommand("verify", |verify| {
        verify.after_long_help(help::long(&[
            help::VERIFY,
            &variables,
            VERDICTS,
            &groups(suite),
            help::FILTERS,
            help::EXIT_CODES,
        ]))
    })
}

/// The groups of `suite`, for the help.
fn groups(suite: &Suite) -> String {
    let mut text = "Groups, which are filters of `verify` only:".to_owned();
    if suite.groups().is_empty() {
        text += "\n  none";
    }
    for (name, filters) in suite.groups() {
        text += &format!("\n  {name:<17}  {}", filters.join(", "));
    }
    text
}

/// Does what the command line asks for, with `suite`.
#[must_use]
pub fn main(suite: Suite) -> ExitCode {
    let read = command(&suite)
        .try_get_matches()
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match read {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to standard output, everything else to standard error.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage.into()
            } else {
                Exit::AsExpected.into()
            };
        }
    };
    log();
    let suite = &suite;
    match in_runtimes(|bodies| dispatch(cli.command, suite, bodies)) {
        Ok(exit) => exit.into(),
        Err(cli_error) => cli_error.print().into(),
    }
}

/// How long the end of an interrupted command may take.
const TAKE_APART: Duration = Duration::from_secs(4);

/// Two runtimes: one for the bodies of scenarios and one for who watches over them, so that a body
/// which blocks its thread stops nobody else.
fn in_runtimes<F>(work: impl FnOnce(Handle) -> F) -> Result<Exit, CliError>
where
    F: Future<Output = Result<Exit, CliError>>,
{
    let cli_error = |error| CliError::infrastructure("the async runtime", error);
    let bodies = Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(cli_error)?;
    let control = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(cli_error)?;
    let end = control.block_on(Box::pin(work(bodies.handle().clone())));
    // Nor must it keep the command from ending.
    bodies.shutdown_background();
    match end {
        // An image that was being built is taken apart again, by a thread that can't be dropped.
        Ok(Exit::Interrupted) => control.shutdown_timeout(TAKE_APART),
        _ => control.shutdown_background(),
    }
    end
}

async fn dispatch(command: Command, suite: &Suite, bodies: Handle) -> Result<Exit, CliError> {
    match command {
        Command::List(args) => list::list(&args, suite),
        Command::Run(args) => run::run(&args, run::What::Run, suite, bodies).await,
        Command::Prove(args) => run::run(&args, run::What::Prove, suite, bodies).await,
        Command::Verify(args) => verify::verify(&args, suite, bodies).await,
        Command::Qualify(args) => qualify::qualify(&args, suite, bodies).await,
        Command::Report { command } => report::report(&command),
        Command::History(args) => history::history(&args).await,
        Command::Shell(args) => shell::shell(&args, suite).await,
        Command::Resume(args) => resume::resume(&args).await,
        Command::Explain(args) => unless_interrupted(explain::explain(&args, suite)).await,
        Command::Doctor(args) => unless_interrupted(doctor::doctor(&args)).await,
        Command::Layers(args) => layers::layers(&args),
        Command::Bench(args) => bench::bench(&args, suite).await,
        Command::Image { command } => unless_interrupted(image::image(command, suite)).await,
        Command::Completions(args) => completions::completions(&args, suite),
        Command::Man(args) => man::man(&args, suite),
    }
}

/// The lab's own log, for those who work on the lab; reports are not made of it.
fn log() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("SPAWNLAB_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
}
