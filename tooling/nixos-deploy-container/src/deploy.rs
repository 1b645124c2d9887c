//! A deploy from beginning to end.

use crate::cli::{Mode, Request};
use crate::failure::{Cause, Failure};
use crate::names::Deployment;
use crate::nix::{self, Version};
use crate::output;
use crate::plan;
use crate::remote::script::{self, Switch};
use crate::remote::switch::{Outcome, Record};
use crate::session::Session;
use crate::step::Step;

/// Does what was asked for.
pub(crate) fn run(request: &Request, session: &mut Session<'_>) -> Result<(), Failure> {
    output::headline(format_args!("connecting to {}", request.target));
    if request.mode == Mode::Rollback {
        session.connect()?;
        session.await_host()?;
        return if request.dry_run {
            rehearse(request, session, &[])
        } else {
            switch_all(request, session, &[])
        };
    }
    session.connect()?;
    let derivations = evaluate_all(request, session)?;
    session.await_host()?;
    if request.dry_run {
        return rehearse(request, session, &derivations);
    }
    if !session.host().cut_short.is_empty() {
        recover(request, session)?;
    }
    let containers = request.deployments.iter().map(|one| &one.container);
    let kept: Vec<_> = containers.zip(&derivations).collect();
    session.keep(&kept)?;
    copy(request, session, &derivations)?;
    let installables: Vec<_> = derivations
        .iter()
        .map(|path| nix::outputs_of(path))
        .collect();
    let different = unique(&installables);
    if different.len() > 1 {
        build_all(request, session, &different)?;
    }
    switch_all(request, session, &installables)?;
    session.keep_no_longer();
    Ok(())
}

/// The derivation of every deployment, in order; a machine that several containers run is evaluated once.
fn evaluate_all(request: &Request, session: &mut Session<'_>) -> Result<Vec<String>, Failure> {
    let mut derivations: Vec<String> = Vec::new();
    for (index, deployment) in request.deployments.iter().enumerate() {
        let machine = &deployment.machine;
        let earlier = &request.deployments[..index];
        if let Some(known) = earlier
            .iter()
            .position(|earlier| earlier.machine == *machine)
        {
            derivations.push(derivations[known].clone());
            continue;
        }
        output::headline(format_args!("evaluating {machine}"));
        let subject = format!("machine `{machine}`");
        let command = nix::evaluate(machine, request.verbose);
        let printed = session.run_here(Step::Evaluate, &subject, &command)?;
        let derivation = nix::derivation(&printed.out.join("\n"));
        derivations.push(derivation.map_err(|what| {
            Failure::early(
                Step::Evaluate,
                subject,
                Cause::Unreadable(what),
                printed.err,
            )
        })?);
    }
    Ok(derivations)
}

fn copy(
    request: &Request,
    session: &mut Session<'_>,
    derivations: &[String],
) -> Result<(), Failure> {
    let target = &request.target;
    output::headline(format_args!("copying to {target}"));
    let mut options = session.ssh_options();
    let daemon = session.host().daemon.clone().unwrap_or_default();
    let subject = target.to_string();
    let derivations = unique(derivations);
    let wanted: Vec<_> = derivations
        .iter()
        .map(|path| nix::outputs_of(path))
        .collect();
    let command = nix::copy(target, &daemon, &wanted, &options);
    let mut failure = match session.run_here(Step::Copy, &subject, &command) {
        Ok(_) => return Ok(()),
        Err(failure) => failure,
    };
    if failure.said("Session open refused by peer") {
        output::line("this host allows one session for a connection: copying over one of its own");
        options = session.ssh_options_alone();
        let command = nix::copy(target, &daemon, &wanted, &options);
        failure = match session.run_here(Step::Copy, &subject, &command) {
            Ok(_) => return Ok(()),
            Err(failure) => failure,
        };
    }
    // Asked now only: starting Nix for its version costs time in every other deploy.
    let older = matches!(&failure, Failure::Step(step) if matches!(step.cause, Cause::Status(_)))
        && session
            .run_here(Step::Copy, &subject, &nix::version())?
            .out
            .iter()
            .any(|line| Version::parse(line).is_some_and(nix::is_old));
    if !older {
        return Err(failure);
    }
    output::line("this Nix is older than 2.13: copying again, without ^*");
    let command = nix::copy(target, &daemon, &derivations, &options);
    session.run_here(Step::Copy, &subject, &command).map(drop)
}

/// Builds everything before the first container is touched: a broken second machine leaves the first alone.
fn build_all(
    request: &Request,
    session: &mut Session<'_>,
    installables: &[String],
) -> Result<(), Failure> {
    let flags = nix::verbosity(request.verbose);
    let script = script::build(session.nonce(), installables, flags, &request.limits);
    run_whole(request, session, Step::Build, &script)
}

/// After a power cut in the middle of a deploy, Nix takes for whole what it has only registered.
fn recover(request: &Request, session: &mut Session<'_>) -> Result<(), Failure> {
    let links = session.host().cut_short.clone();
    let script = script::recover(session.nonce(), &links, &request.limits);
    run_whole(request, session, Step::Recover, &script)
}

/// Runs a script of one step, which changes no profile.
fn run_whole(
    request: &Request,
    session: &mut Session<'_>,
    step: Step,
    script: &str,
) -> Result<(), Failure> {
    let subject = request.target.to_string();
    let any = &request.deployments[0].container;
    let mut record = session.run_there(any, &subject, script)?;
    let cause = match record.ended {
        Some(0) => return Ok(()),
        Some(124) => Cause::TimedOut(request.limits.of(step)),
        Some(status) => Cause::Status(status),
        None => Cause::Lost,
    };
    Err(Failure::early(step, subject, cause, record.take_said()))
}

fn switch_all(
    request: &Request,
    session: &mut Session<'_>,
    installables: &[String],
) -> Result<(), Failure> {
    for (index, deployment) in request.deployments.iter().enumerate() {
        let installable = installables.get(index).map_or("", String::as_str);
        if let Err(failure) = switch(request, session, deployment, installable) {
            for left in &request.deployments[index + 1..] {
                output::line(format_args!(
                    "container `{}` was not touched",
                    left.container
                ));
            }
            return Err(failure);
        }
    }
    Ok(())
}

/// Who deploys, from where, and the process to ask about or to end there.
fn caller() -> String {
    let user = ["USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok());
    let user = user.unwrap_or_else(|| rustix::process::getuid().as_raw().to_string());
    let uname = rustix::system::uname();
    let machine = uname.nodename().to_string_lossy();
    let text = format!("{user}@{machine}, process {} there", std::process::id());
    // It becomes one line on the host.
    text.chars().filter(|c| !c.is_control()).collect()
}

fn switch(
    request: &Request,
    session: &mut Session<'_>,
    deployment: &Deployment,
    installable: &str,
) -> Result<(), Failure> {
    let container = &deployment.container;
    let subject = format!("container `{container}` on {}", request.target);
    let script = script::switch(
        session.nonce(),
        &Switch {
            container,
            caller: &caller(),
            mode: request.mode,
            installable,
            nix_flags: nix::verbosity(request.verbose),
            limits: &request.limits,
        },
    );
    let mut record = session.run_there(container, &subject, &script)?;
    let outcome = record.conclude(container, &subject, &request.limits)?;
    let Record {
        closure,
        generation,
        ..
    } = record;
    output::result(match outcome {
        Outcome::Unchanged => format!("{container}: unchanged, runs {closure} ({generation})"),
        Outcome::Staged => format!("{container}: set to {closure} ({generation}), not activated"),
        _ => format!("{container}: runs {closure} ({generation})"),
    });
    Ok(())
}

/// Says what would be done.
fn rehearse(
    request: &Request,
    session: &mut Session<'_>,
    derivations: &[String],
) -> Result<(), Failure> {
    for (index, deployment) in request.deployments.iter().enumerate() {
        let derivation = derivations.get(index);
        let built = match derivation {
            Some(path) => {
                let subject = format!("machine `{}`", deployment.machine);
                session
                    .run_here(Step::Evaluate, &subject, &nix::outputs(path))?
                    .out
            }
            None => Vec::new(),
        };
        if let Some(state) = session.host().container(&deployment.container) {
            output::result(plan::describe(
                request, deployment, state, derivation, &built,
            ));
        }
    }
    Ok(())
}

fn unique(paths: &[String]) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    for path in paths {
        if !seen.contains(path) {
            seen.push(path.clone());
        }
    }
    seen
}
