//! `spawnlab resume`: which host or lab is meant, and a shell on it.

use std::{fmt::Write as _, time::SystemTime};

use camino::{Utf8Path, Utf8PathBuf};
use spawnlab::{
    Error,
    layer::kept::{self, KeptLab, NOTE},
    run::runner::{STARTED, Started},
};

use crate::{
    args::ResumeArgs,
    lab::report_dir,
    output::{error::CliError, exit::Exit, print},
};
use crate::{lab::shells, output::human};
use spawnlab::run::session;

/// A shell on what was kept, or the list of that.
pub(crate) async fn resume(args: &ResumeArgs) -> Result<Exit, CliError> {
    let runs = report_dir::runs();
    let cli_error = |error| CliError::infrastructure("resume", error);
    let cache = session::cache().map_err(cli_error)?;
    let kept = kept::list(cache.root()).map_err(cli_error)?;
    let Some(wanted) = &args.kept else {
        print::stdout(&table(&kept, &runs, SystemTime::now()))?;
        return Ok(Exit::AsExpected);
    };
    let Some((evidence, machine)) = meant(wanted, &runs) else {
        let why =
            format!("{wanted} is neither an evidence folder nor a scenario of a run in {runs}");
        let hint = "`spawnlab resume` alone lists what is kept";
        return Err(CliError::nothing("resume", why).hint(hint));
    };
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

/// The evidence folder that `wanted` means, and the machine if it names one: a lab's evidence holds a folder for each of
/// its machines.
fn meant(wanted: &Utf8Path, runs: &Utf8Path) -> Option<(Utf8PathBuf, Option<String>)> {
    let own = evidence(wanted, runs);
    if let Some(own) = own.as_ref().filter(|own| own.join(NOTE).exists()) {
        return Some((own.clone(), None));
    }
    let words = wanted.as_str().trim_end_matches('/');
    let lab = words.rsplit_once('/').and_then(|(lab, machine)| {
        let lab = evidence(lab.into(), runs)?;
        let kept = lab.join(NOTE).exists();
        kept.then(|| (lab, Some(machine.to_owned())))
    });
    lab.or_else(|| own.map(|own| (own, None)))
}

/// The evidence folder that `wanted` means: itself, or `RUN/AREA/NAME`, `RUN/AREA::NAME`, where a run is a
/// folder in `runs`; the latest one if it is left out.
fn evidence(wanted: &Utf8Path, runs: &Utf8Path) -> Option<Utf8PathBuf> {
    let words = wanted.as_str().trim_end_matches('/').replace("::", "/");
    let in_run = |run: &str, scenario: &str| runs.join(run).join("evidence").join(scenario);
    let named = words.split_once('/').map(|(run, rest)| in_run(run, rest));
    let folders = [
        Some(wanted.to_owned()),
        named,
        Some(in_run("latest", &words)),
    ];
    let is_evidence = |folder: &Utf8PathBuf| folder.join(STARTED).exists() || is_repeated(folder);
    let found = folders.into_iter().flatten().find(is_evidence)?;
    // Notes are about the folder itself and not about the names that lead to it.
    found.canonicalize_utf8().ok()
}

/// Under `--repeat` each time has a folder of its own below the scenario's.
fn is_repeated(folder: &Utf8Path) -> bool {
    folder.join("commands.log").exists()
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
    use super::*;

    fn runs() -> (tempfile::TempDir, Utf8PathBuf) {
        let guard = tempfile::tempdir().unwrap();
        let runs = Utf8PathBuf::from_path_buf(guard.path().to_owned()).unwrap();
        let runs = runs.canonicalize_utf8().unwrap();
        for run in ["one", "two"] {
            let evidence = runs.join(run).join("evidence/networking/lease");
            fs_err::create_dir_all(&evidence).unwrap();
            fs_err::write(evidence.join(STARTED), "{}").unwrap();
        }
        std::os::unix::fs::symlink("two", runs.join("latest")).unwrap();
        (guard, runs)
    }

    #[rstest::rstest]
    #[case("latest/networking/lease", Some("two"))]
    #[case("latest/networking::lease", Some("two"))]
    #[case("networking::lease", Some("two"))]
    #[case("one/networking/lease/", Some("one"))]
    #[case("one/networking::lease", Some("one"))]
    #[case("three/networking::lease", None)]
    #[case("latest/networking::other", None)]
    #[case("", None)]
    fn a_scenario_of_a_run(#[case] wanted: &str, #[case] run: Option<&str>) {
        let (_guard, runs) = runs();
        let found = evidence(wanted.into(), &runs);
        let expected = run.map(|run| runs.join(run).join("evidence/networking/lease"));
        assert_eq!(found, expected);
    }

    #[rstest::rstest]
    #[case("latest/networking::lease/laptop", Some("laptop"))]
    #[case("networking::lease/laptop", Some("laptop"))]
    #[case("latest/networking/lease/no-such", Some("no-such"))]
    #[case("latest/networking/lease", None)]
    fn a_machine_of_a_lab(#[case] wanted: &str, #[case] machine: Option<&str>) {
        let (_guard, runs) = runs();
        let lab = runs.join("two/evidence/networking/lease");
        fs_err::write(lab.join(NOTE), "{}").unwrap();
        fs_err::create_dir(lab.join("laptop")).unwrap();
        fs_err::write(lab.join("laptop/commands.log"), "").unwrap();
        let found = meant(wanted.into(), &runs);
        assert_eq!(found, Some((lab, machine.map(ToOwned::to_owned))));
    }

    #[test]
    fn a_folder_means_itself() {
        let (_guard, runs) = runs();
        let folder = runs.join("latest/evidence/networking/lease");
        let found = evidence(&folder, "/nowhere".into());
        assert_eq!(found, Some(runs.join("two/evidence/networking/lease")));
    }

    #[test]
    fn kept_hosts_are_listed_by_what_resume_takes() {
        let (_guard, runs) = runs();
        insta::assert_snapshot!(table(&[], &runs, SystemTime::UNIX_EPOCH), @"no hosts are kept; `run --keep` keeps those of scenarios that fail");
        assert_eq!(
            name(&runs.join("one/evidence/networking/lease"), &runs),
            "one/networking/lease"
        );
        assert_eq!(name("/elsewhere/a/b".into(), &runs), "/elsewhere/a/b");
    }
}
