//! `spawnlab list`.

use std::fmt::Write as _;

use serde::Serialize;
use spawnlab::{
    run::{selection, suite::Suite},
    scenario::{Guarantee, MachineBase, Scenario},
    verdict::finding::HOST,
};

use crate::{
    args::ListArgs,
    commands::run,
    output::{error::CliError, exit::Exit, print},
};

/// A scenario as `list --json` shows it.
#[derive(Debug, Serialize)]
struct Listed {
    name: String,
    claim: String,
    layer: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    machines: Vec<ListedMachine>,
    needs: Vec<&'static str>,
    expects: Vec<ListedExpectation>,
    limit_s: u64,
    soak: bool,
    saboteurs: Vec<ListedSaboteur>,
}

#[derive(Debug, Serialize)]
struct ListedSaboteur {
    name: &'static str,
    fails: &'static str,
    spares: &'static str,
}

#[derive(Debug, Serialize)]
struct ListedExpectation {
    kind: &'static str,
    subject: &'static str,
    machine: &'static str,
    because: &'static str,
}

#[derive(Debug, Serialize)]
struct ListedMachine {
    name: &'static str,
    layer: &'static str,
}

impl From<&Scenario> for Listed {
    fn from(scenario: &Scenario) -> Self {
        Self {
            name: scenario.full_name(),
            claim: scenario.claim(),
            layer: host(scenario).map_or("", |machine| machine.base.name()),
            machines: machines(scenario),
            needs: scenario
                .needs
                .iter()
                .copied()
                .map(Guarantee::name)
                .collect(),
            expects: scenario
                .expects
                .iter()
                .map(|expected| ListedExpectation {
                    kind: expected.kind.word(),
                    subject: expected.subject,
                    machine: expected.machine,
                    because: expected.because,
                })
                .collect(),
            limit_s: scenario.limit.as_secs(),
            soak: scenario.soak,
            saboteurs: scenario
                .saboteurs
                .iter()
                .map(|saboteur| ListedSaboteur {
                    name: saboteur.name,
                    fails: saboteur.fails,
                    spares: saboteur.spares,
                })
                .collect(),
        }
    }
}

/// The machine whose layer stands for a scenario where one is named.
fn host(scenario: &Scenario) -> Option<&'static MachineBase> {
    let mut machines = scenario.machines.iter();
    let host = machines.find(|machine| machine.name == HOST);
    host.or(scenario.machines.first())
}

/// The machines of a lab of several.
fn machines(scenario: &Scenario) -> Vec<ListedMachine> {
    if scenario.machines.len() == 1 {
        return vec![];
    }
    let listed = |machine: &MachineBase| ListedMachine {
        name: machine.name,
        layer: machine.base.name(),
    };
    scenario.machines.iter().map(listed).collect()
}

/// Names and claims to standard output.
pub(crate) fn list(args: &ListArgs, suite: &Suite) -> Result<Exit, CliError> {
    let source = args.source.open(suite)?;
    let selected = run::selected(selection::to_run(source.scenarios()), &args.selection)?;
    let listed: Vec<Listed> = selected
        .iter()
        .map(|selected| selected.scenario.into())
        .collect();
    let text = if args.json {
        serde_json::to_string_pretty(&listed)
            .map_err(|error| CliError::infrastructure("list", error))?
            + "\n"
    } else {
        let mut text = String::new();
        for scenario in &listed {
            let when = if scenario.soak {
                "(soak runs only) "
            } else {
                ""
            };
            let _ = writeln!(text, "{}\n    {when}{}", scenario.name, scenario.claim);
        }
        text
    };
    print::stdout(&text)?;
    Ok(Exit::AsExpected)
}
