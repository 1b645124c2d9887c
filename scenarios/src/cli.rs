//! The `spawnlab` command: arguments in, exit code out.

pub mod again;
pub mod args;
mod bench;
pub mod completions;
pub mod doctor;
mod exit;
pub mod explain;
mod help;
mod image;
pub mod known;
mod layers;
mod list;
pub mod man;
pub mod nixos_args;
mod print;
mod qualify;
pub mod qualify_args;
mod qualify_files;
mod qualify_plan;
mod report;
pub mod report_args;
pub mod report_dir;
mod resume;
mod run;
pub mod select;
mod shell;
mod signals;
pub mod source;
mod tool;
pub mod trouble;
mod verify;
pub mod verify_args;
mod verify_files;

use std::{future::Future, process::ExitCode, time::Duration};

use clap::Parser;
use tokio::runtime::{Builder, Handle};

use args::{Cli, Command};
use exit::Exit;
use signals::unless_interrupted;
use trouble::Trouble;

/// Does what the command line asks for.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
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
    match in_runtimes(|bodies| dispatch(cli.command, bodies)) {
        Ok(exit) => exit.into(),
        Err(trouble) => trouble.print().into(),
    }
}

/// How long the end of an interrupted command may take.
const TAKE_APART: Duration = Duration::from_secs(4);

/// Two runtimes: one for the bodies of scenarios and one for who watches over them, so that a body
/// which blocks its thread stops nobody else.
fn in_runtimes<F>(work: impl FnOnce(Handle) -> F) -> Result<Exit, Trouble>
where
    F: Future<Output = Result<Exit, Trouble>>,
{
    let trouble = |error| Trouble::infrastructure("the async runtime", error);
    let bodies = Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(trouble)?;
    let control = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(trouble)?;
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

async fn dispatch(command: Command, bodies: Handle) -> Result<Exit, Trouble> {
    match command {
        Command::List(args) => list::list(&args),
        Command::Run(args) => run::run(&args, run::What::Run, bodies).await,
        Command::Prove(args) => run::run(&args, run::What::Prove, bodies).await,
        Command::Verify(args) => verify::verify(&args, bodies).await,
        Command::Qualify(args) => qualify::qualify(&args, bodies).await,
        Command::Report { command } => report::report(&command),
        Command::Shell(args) => shell::shell(&args).await,
        Command::Resume(args) => resume::resume(&args).await,
        Command::Explain(args) => unless_interrupted(explain::explain(&args)).await,
        Command::Doctor(args) => unless_interrupted(doctor::doctor(&args)).await,
        Command::Layers(args) => layers::layers(&args),
        Command::Bench(args) => bench::bench(&args).await,
        Command::Image { command } => unless_interrupted(image::image(command)).await,
        Command::Completions(args) => completions::completions(&args),
        Command::Man(args) => man::man(&args),
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
