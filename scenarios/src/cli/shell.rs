//! `spawnlab shell`.

use std::sync::mpsc;

use spawnlab::{
    report::{drive::drive, terminal::Terminal},
    verdict::event::{Event, Events, Summary},
};

use super::{again::Again, args::ShellArgs, exit::Exit, trouble::Trouble};
use crate::doors;

/// A shell on a clone of a layer.
pub(super) async fn shell(args: &ShellArgs) -> Result<Exit, Trouble> {
    let lab = &args.lab;
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
    let container = args.container.as_deref();
    let attached = Box::pin(doors::shell(options, args.layer, container, &events, ready)).await;
    end();
    let _ = tokio::task::spawn_blocking(|| driver.finish()).await;
    attached.map_err(|error| Trouble::of("shell", error))?;
    Ok(Exit::AsExpected)
}
