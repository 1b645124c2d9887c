//! `spawnlab shell` and `spawnlab resume`.

use std::sync::mpsc;

use spawnlab::{
    event::{Event, Events, Summary},
    report::{drive::drive, terminal::Terminal},
};

use super::{
    again::Again,
    args::{LabArgs, ResumeArgs, ShellArgs},
    exit::Exit,
    trouble::Trouble,
};
use crate::engine::{self, Place};

/// A shell on a clone of a layer.
pub(super) async fn shell(args: &ShellArgs) -> Result<Exit, Trouble> {
    attach(
        Place::Layer(args.layer),
        args.container.as_deref(),
        &args.lab,
    )
    .await
}

/// A shell on a host that was kept.
pub(super) async fn resume(args: &ResumeArgs) -> Result<Exit, Trouble> {
    attach(
        Place::Kept(args.kept.clone()),
        args.container.as_deref(),
        &args.lab,
    )
    .await
}

async fn attach(place: Place, container: Option<&str>, lab: &LabArgs) -> Result<Exit, Trouble> {
    let options = lab.options(Again::new(&["spawnlab", "run"], lab))?;
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
    .map_err(|error| Trouble::infrastructure("reporters", error))?;
    let end = || events.send(Event::RunFinished(Box::<Summary>::default()));
    let ready = || {
        end();
        let _ = all_told.recv();
    };
    let attached = Box::pin(engine::shell(options, place, container, &events, ready)).await;
    end();
    let _ = tokio::task::spawn_blocking(|| driver.finish()).await;
    attached.map_err(|error| Trouble::infrastructure("shell", error))?;
    Ok(Exit::AsExpected)
}
