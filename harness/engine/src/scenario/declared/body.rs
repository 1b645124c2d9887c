//! Declared steps as the bodies of scenarios.

use std::time::Duration;

use super::{
    data::{Declared, File, Sabotage},
    leases,
    step::{Content, DeclaredStep, Do, ExpectedOutput, Text},
    words,
};
use crate::{
    scenario::{
        Body, Change, DiskLog, MachineBase, Saboteur, Scenario, cut, expect::expect, lab::Lab,
        script, tool::Deploy,
    },
    util::{error::Error, poll::Seen},
    verdict::{Failure, Outcome, ScenarioError},
    vm::{container::quote, host::Host, qemu::agent::Output, verbs::Verbs},
};

/// How many of a command's last lines a failure keeps.
const LINES: usize = 20;

/// What `file` declares, as scenarios like any other. They live as long as the process does, as
/// those that are compiled in: a file is read once.
#[must_use]
pub fn scenarios(file: File) -> &'static [Scenario] {
    let declared: &'static [Declared] = file.scenarios.leak();
    declared.iter().map(scenario).collect::<Vec<_>>().leak()
}

fn scenario(declared: &'static Declared) -> Scenario {
    let saboteurs: Vec<Saboteur> = declared
        .saboteurs
        .iter()
        .map(|saboteur| Saboteur {
            name: &saboteur.name,
            on: &saboteur.on,
            changes: changes(saboteur).leak(),
            fails: &saboteur.fails,
            spares: &saboteur.spares,
        })
        .collect();
    let machines: Vec<MachineBase> = declared
        .machines
        .iter()
        .map(|machine| MachineBase {
            name: &machine.name,
            base: machine.base,
        })
        .collect();
    let steps: &'static [DeclaredStep] = &declared.steps;
    Scenario {
        area: &declared.area,
        name: &declared.name,
        claim: &declared.claim,
        machines: machines.leak(),
        needs: &declared.needs,
        wants: &[],
        brings: &[],
        disk: DiskLog::Unlogged,
        limit: Duration::from_secs(declared.limit),
        per_iteration: Duration::ZERO,
        soak: false,
        expects: &[],
        saboteurs: saboteurs.leak(),
        body: Body::leaked(move |lab| Box::pin(run(lab, steps))),
    }
}

fn changes(saboteur: &'static Sabotage) -> Vec<Change> {
    let script = saboteur.script.as_ref().map(|text| script(text));
    saboteur.cut.then(cut).into_iter().chain(script).collect()
}

async fn run(lab: &Lab, steps: &'static [DeclaredStep]) -> Outcome {
    for step in steps {
        take(lab, step).await?;
    }
    Ok(())
}

async fn take(lab: &Lab, step: &'static DeclaredStep) -> Outcome {
    let machine = step.machine.as_deref();
    let host = machine.map_or_else(|| lab.host(), |name| lab.machine(name));
    let called = expect(&step.called);
    let limit = host.limit(step.within);
    match &step.act {
        Do::Succeed(script) => {
            let output = execute(host, step, script).await?;
            judge(step, &output, Some(0))
        }
        Do::Execute(script) => judge(step, &execute(host, step, script).await?, None),
        Do::Fail(script) => {
            let output = execute(host, step, script).await?;
            if output.status.success() {
                let expected = "an exit status other than 0";
                return Err(failure(step, expected, output.status, &output));
            }
            judge(step, &output, None)
        }
        Do::WaitUntilSucceeds(script) => {
            let expected = format!("{}exit status 0", demands(&step.expected));
            let look = || async {
                let output = run_once(host, step, script).await?;
                let met = output.status.success() && missed(&step.expected, &output).is_none();
                Ok(if met {
                    Seen::Ready(())
                } else {
                    Seen::NotYet(said(&output))
                })
            };
            called.eventually(limit, expected, look).await
        }
        Do::WaitUntilFails(script) => {
            let look = || async {
                let output = run_once(host, step, script).await?;
                Ok(if output.status.success() {
                    Seen::NotYet("it succeeds".to_owned())
                } else {
                    Seen::Ready(())
                })
            };
            called
                .eventually(limit, "an exit status other than 0", look)
                .await
        }
        Do::WaitForUnit(unit) => wait_for_unit(host, step, unit).await,
        Do::WaitForOpenPort(port) => {
            let script = format!("ss -Hltn 'sport = :{port}' | grep -q .");
            let look = || async {
                let output = run_once(host, step, &script).await?;
                Ok(if output.status.success() {
                    Seen::Ready(())
                } else {
                    Seen::NotYet("nothing listens".to_owned())
                })
            };
            called
                .eventually(limit, "something that listens", look)
                .await
        }
        Do::WaitForLease(name) => leases::wait_for_lease(host, step, name).await,
        Do::WaitForName(name) => leases::wait_for_name(host, step, name).await,
        Do::Deploy { fails, .. } => {
            let Some(deploy) = deploy_of(step) else {
                return Ok(());
            };
            let output = deploy.from(host).run(lab.host()).await?;
            if *fails && output.status.success() {
                let expected = "an exit status other than 0";
                return Err(failure(step, expected, output.status, &output));
            }
            let said = *fails || step.expected.status.is_some();
            judge(step, &output, (!said).then_some(0))
        }
        Do::PutFile {
            path,
            content: Content::Bytes(content),
            mode,
        } => {
            let script = words::put(path, content, mode, step.user.as_deref());
            let output = in_place(host, step, &script).await?;
            judge(step, &output, Some(0))
        }
        Do::PutFile { path, .. } => {
            let why = format!("what is in {path} was not read");
            Err(ScenarioError::Infrastructure(Error::Given(why)))
        }
        Do::Impair {
            machine,
            direction,
            with,
        } => Ok(lab.network().impair(machine, *direction, with.clone())?),
        Do::Cut { machine, direction } => Ok(lab.network().cut(machine, *direction)?),
        Do::Heal(machine) => Ok(lab.network().heal(machine)?),
    }
}

async fn wait_for_unit(host: &Host, step: &'static DeclaredStep, unit: &str) -> Outcome {
    let script = format!("systemctl show -p ActiveState --value -- {}", quote(unit));
    let look = || async {
        let output = run_once(host, step, &script).await?;
        Ok(match output.stdout.trim() {
            // A unit that failed becomes active by nothing that is waited for.
            state @ ("active" | "failed") => Seen::Ready(state.to_owned()),
            _ => Seen::NotYet(said(&output)),
        })
    };
    let state = expect(&step.called)
        .eventually(host.limit(step.within), "active", look)
        .await?;
    if state == "active" {
        return Ok(());
    }
    let status = format!("systemctl status -n {LINES} --no-pager -- {}", quote(unit));
    let output = execute(host, step, &status).await?;
    Err(failure(step, "active", state, &output))
}

/// The call of the tool that `step` means, if it means one.
pub(super) fn deploy_of(step: &DeclaredStep) -> Option<Deploy<'_>> {
    let Do::Deploy {
        machine,
        container,
        flags,
        target,
        flake,
        ..
    } = &step.act
    else {
        return None;
    };
    let mut deploy = Deploy::of(machine).into(container);
    for flag in flags {
        deploy = deploy.flag(flag);
    }
    if let Some(target) = target {
        deploy = deploy.to(target);
    }
    if let Some(flake) = flake {
        deploy = deploy.from_flake(flake);
    }
    if let Some(user) = &step.user {
        deploy = deploy.by(user);
    }
    for (name, value) in &step.environment {
        deploy = deploy.with(name, value);
    }
    Some(deploy)
}

/// Runs `script` as the step's user, with its environment.
async fn run_once(host: &Host, step: &DeclaredStep, script: &str) -> Result<Output, Error> {
    in_place(host, step, &words::script(step, script)).await
}

/// Runs `script` as root, where the step is.
async fn in_place(host: &Host, step: &DeclaredStep, script: &str) -> Result<Output, Error> {
    match &step.container {
        None => host.execute_within(script, step.within).await,
        Some(name) => {
            host.container(name)
                .execute_within(script, step.within)
                .await
        }
    }
}

/// As [`run_once`]; that there is no guest to run it in is a finding about the host.
async fn execute(host: &Host, step: &DeclaredStep, script: &str) -> Result<Output, ScenarioError> {
    run_once(host, step, script)
        .await
        .map_err(|error| match error {
            Error::Command(error) => {
                let lines = error.stdout.lines().chain(error.stderr.lines());
                ScenarioError::Failed(Failure {
                    assertion: step.called.clone(),
                    expected: "a guest to run it in".to_owned(),
                    seen: error.status.clone(),
                    hop: None,
                    lines: last(lines),
                })
            }
            other => other.into(),
        })
}

/// `status` is what the verb demands; where it demands none, the step may.
fn judge(step: &DeclaredStep, output: &Output, status: Option<i32>) -> Outcome {
    if let Some(status) = status.or(step.expected.status) {
        if output.status.code() != Some(status) {
            let expected = format!("exit status {status}");
            return Err(failure(step, expected, output.status, output));
        }
    }
    match missed(&step.expected, output) {
        None => Ok(()),
        Some((text, stream, seen)) => {
            let expected = format!("{} on standard {stream}", text.demand());
            Err(failure(
                step,
                expected,
                format!("{:?}", shortened(seen)),
                output,
            ))
        }
    }
}

/// The first expectation of the output that does not hold.
fn missed<'a>(
    expected: &'a ExpectedOutput,
    output: &'a Output,
) -> Option<(&'a Text, &'static str, &'a str)> {
    let streams = [
        (&expected.stdout, "output", output.stdout.as_str()),
        (&expected.stderr, "error", output.stderr.as_str()),
    ];
    streams.into_iter().find_map(|(texts, stream, seen)| {
        let text = texts.iter().find(|text| !text.holds(seen))?;
        Some((text, stream, seen))
    })
}

fn demands(expected: &ExpectedOutput) -> String {
    let texts = expected.stdout.iter().chain(&expected.stderr);
    texts.map(|text| text.demand() + " and ").collect()
}

fn said(output: &Output) -> String {
    let text = format!("{}{}", output.stdout, output.stderr);
    format!("{}: {}", output.status, shortened(&text))
}

/// The beginning of a long text: all of it is in the evidence.
fn shortened(text: &str) -> String {
    let text = text.trim();
    match text.char_indices().nth(300) {
        Some((at, _)) => format!("{} …", &text[..at]),
        None => text.to_owned(),
    }
}

fn failure(
    step: &DeclaredStep,
    expected: impl ToString,
    seen: impl ToString,
    output: &Output,
) -> ScenarioError {
    ScenarioError::Failed(Failure {
        assertion: step.called.clone(),
        expected: expected.to_string(),
        seen: seen.to_string(),
        hop: None,
        lines: last(output.stdout.lines().chain(output.stderr.lines())),
    })
}

fn last<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut lines: Vec<String> = lines.map(str::to_owned).collect();
    lines.split_off(lines.len().saturating_sub(LINES))
}
