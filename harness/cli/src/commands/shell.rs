//! `spawnlab shell`.

use std::sync::mpsc;

use spawnlab::{
    report::{drive::drive, terminal::Terminal},
    run::suite::Suite,
    verdict::event::{Event, Events, Summary},
};

use crate::{
    args::ShellArgs,
    lab::{rerun::Rerun, shells},
    output::{error::CliError, exit::Exit},
};

/// A shell on a clone of a layer.
pub(crate) async fn shell(args: &ShellArgs, suite: &Suite) -> Result<Exit, CliError> {
    let lab = &args.lab;
    let config = lab.config(suite, Rerun::new(&["spawnlab", "run"], lab))?;
    let (events, receiver) = Events::channel();
    let mut terminal = Terminal::plain(Box::new(std::io::stderr()));
    let (told, all_told) = mpsc::channel::<()>();
    let driver = drive(
        receiver,
        move |event| match event {
            // The terminal belongs to the guest from here on.
            Event::RunFinished(_) => drop(told.send(())),
            event => terminal.tell(event),
        },
        None,
    )
    .map_err(|error| CliError::infrastructure("reporters", error))?;
    let end = || events.send(Event::RunFinished(Box::<Summary>::default()));
    let ready = || {
        end();
        let _ = all_told.recv();
    };
    let container = args.container.as_deref();
    let attached = Box::pin(shells::shell(
        config,
        args.layer.into(),
        container,
        &events,
        ready,
    ))
    .await;
    end();
    let _ = tokio::task::spawn_blocking(|| driver.finish()).await;
    attached.map_err(|error| CliError::of("shell", error))?;
    Ok(Exit::AsExpected)
}
