//! `spawnlab resume`: which host or lab is meant, and a shell on it.

use std::{fmt::Write as _, time::SystemTime};

use camino::Utf8Path;
use spawnlab::{
    Error,
    layer::kept::{KeptLab, list},
    run::runner::{STARTED, Started},
};

use crate::{
    args::ResumeArgs,
    lab::{kept, report_dir},
    output::{error::CliError, exit::Exit, print},
};
use crate::{lab::shells, output::human};
use spawnlab::run::session;

/// A shell on what was kept, or the list of that.
pub(crate) async fn resume(args: &ResumeArgs) -> Result<Exit, CliError> {
    let runs = report_dir::runs();
    let cli_error = |error| CliError::infrastructure("resume", error);
    let cache = session::cache().map_err(cli_error)?;
    let all = list(cache.root()).map_err(cli_error)?;
    let Some(wanted) = &args.kept else {
        print::stdout(&table(&all, &runs, SystemTime::now()))?;
        return Ok(Exit::AsExpected);
    };
    let (evidence, machine) = kept::meant(wanted, &runs)
        .map_err(|why| CliError::nothing("resume", why).hint(kept::HINT))?;
    let container = args.container.as_deref();
    let resumed = shells::resume(&evidence, machine.as_deref(), container).await;
    resumed.map_err(|error| {
        // What the user has asked for wrongly is there when it is asked for rightly.
        let given = matches!(error, Error::Given(_));
        let cli_error = CliError::of("resume", error);
        match again(&evidence).filter(|_| !given) {
            Some(again) => cli_error.hint(format!("{again} --keep")),
            None => cli_error,
        }
    })?;
    Ok(Exit::AsExpected)
}

/// The command that runs the scenario with this evidence again.
fn again(evidence: &Utf8Path) -> Option<String> {
    let text = fs_err::read(evidence.join(STARTED)).ok()?;
    let started: Started = serde_json::from_slice(&text).ok()?;
    Some(started.again)
}

fn table(kept: &[KeptLab], runs: &Utf8Path, now: SystemTime) -> String {
    if kept.is_empty() {
        return "no hosts are kept; `run --keep` keeps those of scenarios that fail\n".into();
    }
    let mut text = format!("{:>7} {:>10}  HOST\n", "AGE", "SIZE");
    for kept in kept {
        let age = human::age(now.duration_since(kept.at).unwrap_or_default());
        let size = human::bytes(kept.bytes);
        let machines = match kept.machines.as_slice() {
            [_] => String::new(),
            several => format!(" ({})", several.join(", ")),
        };
        let name = name(&kept.evidence, runs);
        let _ = writeln!(text, "{age:>7} {size:>10}  {name}{machines}");
    }
    text
}

/// How `evidence` is best named: short if it is that of a run in `runs`.
fn name(evidence: &Utf8Path, runs: &Utf8Path) -> String {
    let runs = runs.canonicalize_utf8().unwrap_or_else(|_| runs.to_owned());
    let inside = evidence.strip_prefix(&runs).ok();
    let parts = inside.and_then(|inside| inside.as_str().split_once("/evidence/"));
    match parts {
        Some((run, scenario)) => format!("{run}/{scenario}"),
        None => evidence.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;

    use super::*;

    #[test]
    fn kept_hosts_are_listed_by_what_resume_takes() {
        let guard = tempfile::tempdir().unwrap();
        let runs = Utf8PathBuf::from_path_buf(guard.path().canonicalize().unwrap()).unwrap();
        insta::assert_snapshot!(table(&[], &runs, SystemTime::UNIX_EPOCH), @"no hosts are kept; `run --keep` keeps those of scenarios that fail");
        assert_eq!(
            name(&runs.join("one/evidence/networking/lease"), &runs),
            "one/networking/lease"
        );
        assert_eq!(name("/elsewhere/a/b".into(), &runs), "/elsewhere/a/b");
    }
}
