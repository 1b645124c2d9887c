//! `spawnlab verify`: the same scenarios on clones of two sides.

use spawnlab::{
    Error,
    campaign::{
        case::{Side, interleaved, of_side},
        verify::{self, Compared, Comparison, Conclusion, Runs},
    },
    report::{dir::Dir, terminal::Terminal},
    run::suite::Suite,
};
use tokio::runtime::Handle;

use crate::{
    args::verify::VerifyArgs,
    commands::{
        cases::{Ran, Runner, remembering, reported},
        verify_files,
        verify_plan::VerifyPlan,
    },
    lab::report_dir,
    output::{error::CliError, exit::Exit, print, signals},
};

/// Compares the sides of `args`, and reports it.
pub(crate) async fn verify(
    args: &VerifyArgs,
    suite: &Suite,
    bodies: Handle,
) -> Result<Exit, CliError> {
    // What can be wrong with the command line is found out before anything is written or started.
    let plan = VerifyPlan::of(args, suite)?;
    verify_files::check(args)?;
    let dir = report_dir::open(args.report.as_deref())?;
    let terminal = remembering(Terminal::comparison());
    let interrupt =
        signals::listen().map_err(|error| CliError::infrastructure("signals", error))?;
    let runner = Runner {
        jobs: args.jobs,
        fail_fast: false,
        bodies,
        interrupt: &interrupt,
        dir: &dir,
        request: None,
    };
    let wanted = plan.comparable();
    let repeat = usize::try_from(args.repeat.get()).unwrap_or(usize::MAX);
    let selected = plan.scenarios.len() * 2 * repeat;
    let cases = match wanted.as_slice() {
        [] => vec![],
        _ => Side::ALL
            .map(Side::name)
            .into_iter()
            .zip(plan.configs.clone())
            .collect(),
    };
    let tasks = |sessions: &[_]| plan.tasks(args, suite, sessions);
    let (ran, _, kept) = reported(terminal, &dir, async |events| {
        let ran = runner.run(cases, &wanted, selected, tasks, events).await;
        (ran.summary.clone(), ran)
    })
    .await?;
    if let Some((side, error)) = &ran.failed {
        if matches!(**error, Error::Given(_)) {
            return Err(CliError::usage(side, error));
        }
    }
    let comparison = comparison(args, &plan, ran, &dir);
    print::stdout(&format!(
        "\n{}report in {dir}\n",
        verify::page(&comparison).terminal()
    ))?;
    verify_files::write(&comparison, &dir)?;
    verify_files::write_besides(&comparison, args)?;
    kept.map_err(|error| CliError::infrastructure("report", error))?;
    Ok(Exit::from(&comparison.overall))
}

/// What came of it, as a comparison.
fn comparison(args: &VerifyArgs, plan: &VerifyPlan, ran: Ran, dir: &Dir) -> Comparison {
    let scenarios = match ran.failed {
        None => compared(args, plan, &ran, dir),
        Some(_) => vec![],
    };
    let mut overall = verify::overall(&scenarios, ran.finished.interrupted);
    if let Some(error) = ran.summary.error {
        overall.conclusion = Conclusion::Undecided;
        overall.sentence = "nothing was compared: the lab failed".into();
        overall.error = Some(error);
    }
    let shard = args.shard.map(|shard| shard.to_string());
    if let Some(shard) = &shard {
        overall.sentence = format!("shard {shard}: {}", overall.sentence);
    }
    let side = |position: usize| verify::SideReport {
        variables: plan.sides[position].variables.clone(),
        environment: ran
            .sessions
            .get(position)
            .map(|session| session.environment().clone()),
    };
    Comparison {
        version: verify::VERSION,
        base: side(0),
        change: side(1),
        repeat: args.repeat.get(),
        shared: plan.shared(),
        planned: match &shard {
            Some(_) => plan.planned.clone(),
            None => vec![],
        },
        shard,
        overall,
        scenarios,
    }
}

fn compared(args: &VerifyArgs, plan: &VerifyPlan, ran: &Ran, dir: &Dir) -> Vec<Compared> {
    let again = args.again();
    let names: Vec<String> = plan
        .scenarios
        .iter()
        .map(|(wanted, _)| wanted.full_name())
        .collect();
    let runs = interleaved(names.iter().map(String::as_str), args.repeat.get());
    let records: Vec<_> = runs
        .into_iter()
        .zip(ran.finished.records.iter().cloned())
        .collect();
    // A side that could not be opened has run nothing.
    let sides = match ran.sessions.as_slice() {
        [base, change] => Some([base, change].map(|session| session.environment().facts())),
        _ => None,
    };
    let compared = plan
        .scenarios
        .iter()
        .zip(&names)
        .map(|((wanted, _), name)| {
            let [base, change] =
                Side::ALL.map(|side| Runs::of(of_side(&records, name, side), dir.path()));
            let claim = wanted.scenario.claim();
            let mut one = verify::compare(name, &claim, again.command(name), base, change);
            if let Some(facts) = &sides {
                let side = |side: usize| (&*plan.configs[side].policy.known, &facts[side]);
                one.known = verify::trackers(&one, [side(0), side(1)]);
            }
            one
        });
    compared.collect()
}
