//! Deploys NixOS containers: evaluates them here, builds them on their host, switches the running guests, and checks
//! inside the guests that they run what was built.

mod cli;
mod command;
mod deploy;
mod engine;
mod failure;
mod names;
mod nix;
mod output;
mod plan;
mod quote;
mod remote;
mod session;
mod ssh;
mod step;

use clap::Parser;
use std::fs::File;
use std::io::{self, Read};
use std::process::ExitCode;

/// Exit code for a command line, or an environment, that can't be worked with.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let request = match cli::Cli::try_parse() {
        Ok(cli) => cli.into_request(),
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    let options = std::env::var("NIX_SSHOPTS").unwrap_or_default();
    let prepared = request.and_then(|request| Ok((ssh::split_options(&options)?, request)));
    let (options, request) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            output::error(error);
            return ExitCode::from(USAGE);
        }
    };
    let session = engine::Engine::new().and_then(|engine| {
        let limits = &request.limits;
        let ssh = ssh::Ssh::prepare(
            &request.target,
            limits.connect,
            limits.sign_of_life(),
            options,
        )?;
        Ok(session::Session::new(&request, engine, ssh, nonce()?))
    });
    match session {
        Ok(mut session) => match deploy::run(&request, &mut session) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => {
                output::error(&failure);
                ExitCode::from(failure.exit_code())
            }
        },
        Err(error) => {
            output::error(format_args!(
                "can't prepare a folder for the ssh connection: {error}"
            ));
            ExitCode::FAILURE
        }
    }
}

/// A word that nobody else says: lines with it in front are answers of the host's script, nothing else is.
fn nonce() -> io::Result<String> {
    let mut bytes = [0; 12];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
