//! The first SIGINT or SIGTERM stops the run in good order, the second one at once,
//! but for folders that have to be removed.

use std::{io, thread};

use spawnlab::{
    run::runner::{Interrupt, interrupt},
    util::scratch,
};
use tokio::signal::unix::{SignalKind, signal};

use crate::output::{error::CliError, exit::Exit};

/// From now on signals raise what is returned.
///
/// They are waited for on a thread of its own: whatever hangs, asking twice helps.
pub(crate) fn listen() -> io::Result<Interrupt> {
    let (interrupter, interrupt) = interrupt();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let (mut int, mut term) = {
        let _in_runtime = runtime.enter();
        (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        )
    };
    let wait = async move {
        let mut first = true;
        while let Some(()) = tokio::select! {
            came = int.recv() => came,
            came = term.recv() => came,
        } {
            if !first {
                hard();
            }
            first = false;
            interrupter.raise();
        }
    };
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || runtime.block_on(wait))?;
    Ok(interrupt)
}

/// Does `work`, unless a signal comes: then it is dropped, and with it every process that it started.
pub(crate) async fn unless_interrupted(
    work: impl Future<Output = Result<Exit, CliError>>,
) -> Result<Exit, CliError> {
    let interrupt = listen().map_err(|error| CliError::infrastructure("signals", error))?;
    tokio::select! {
        biased;
        () = interrupt.raised() => Ok(Exit::Interrupted),
        end = work => end,
    }
}

#[expect(
    clippy::exit,
    reason = "the user asked twice; QEMU dies with this process"
)]
fn hard() -> ! {
    scratch::abandon();
    std::process::exit(Exit::Interrupted as i32)
}
