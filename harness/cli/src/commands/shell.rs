//! `spawnlab shell`: on a clone of a layer, or in the lab of a scenario.

use std::sync::mpsc;

use spawnlab::{
    report::{drive::drive, terminal::Terminal},
    run::suite::Suite,
    scenario::Scenario,
    verdict::event::{Event, Events, Summary},
};

use crate::{
    args::{Selection, ShellArgs},
    commands::run,
    lab::{hosts::Cloned, rerun::Rerun, shells},
    output::{error::CliError, exit::Exit},
};

/// A shell on a clone of a layer, or on a machine of a lab.
pub(crate) async fn shell(args: &ShellArgs, suite: &Suite) -> Result<Exit, CliError> {
    let lab = &args.lab;
    let wanted = args.scenario.as_deref();
    let wanted = wanted.map(|wanted| named(wanted, suite)).transpose()?;
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
    let wanted = match wanted {
        Some((scenario, machine)) => (Cloned::Scenario(scenario), machine),
        None => (Cloned::Layer(args.layer.into()), None),
    };
    let attached = Box::pin(shells::shell(config, wanted, container, &events, ready)).await;
    end();
    let _ = tokio::task::spawn_blocking(|| driver.finish()).await;
    attached.map_err(|error| CliError::of("shell", error))?;
    Ok(Exit::AsExpected)
}

/// The scenario and the machine that `wanted` names: `AREA::NAME` or `AREA::NAME/MACHINE`.
fn named<'a>(
    wanted: &'a str,
    suite: &Suite,
) -> Result<(&'static Scenario, Option<&'a str>), CliError> {
    let (name, machine) = match wanted.split_once('/') {
        Some((name, machine)) => (name, Some(machine)),
        None => (wanted, None),
    };
    let selection = Selection {
        filters: vec![name.to_owned()],
        exact: true,
    };
    let selected = run::selected(suite.to_run(), &selection)?;
    let scenario = selected[0].scenario;
    let names: Vec<&str> = scenario.machines.iter().map(|it| it.name).collect();
    match machine.filter(|machine| !names.contains(machine)) {
        None => Ok((scenario, machine)),
        Some(unknown) => Err(CliError::usage(
            "--scenario",
            format!(
                "{name} has no machine {unknown}; there are {}",
                names.join(", ")
            ),
        )),
    }
}
