//! What was kept of a run, as the user names it.

use camino::{Utf8Path, Utf8PathBuf};
use spawnlab::{layer::kept::NOTE, run::runner::STARTED};

/// The next step where a name means nothing.
pub(crate) const HINT: &str = "`spawnlab resume` alone lists what is kept";

/// The evidence folder that `wanted` means, and the machine if it names one.
///
/// # Errors
/// A text for the user: it means none.
pub(crate) fn meant(
    wanted: &Utf8Path,
    runs: &Utf8Path,
) -> Result<(Utf8PathBuf, Option<String>), String> {
    let none =
        || format!("{wanted} is neither an evidence folder nor a scenario of a run in {runs}");
    found(wanted, runs).ok_or_else(none)
}

/// The same, or none: a lab's evidence holds a folder for each of
/// its machines.
fn found(wanted: &Utf8Path, runs: &Utf8Path) -> Option<(Utf8PathBuf, Option<String>)> {
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
        let found = found(wanted.into(), &runs);
        assert_eq!(found, Some((lab, machine.map(ToOwned::to_owned))));
    }

    #[test]
    fn a_folder_means_itself() {
        let (_guard, runs) = runs();
        let folder = runs.join("latest/evidence/networking/lease");
        let found = evidence(&folder, "/nowhere".into());
        assert_eq!(found, Some(runs.join("two/evidence/networking/lease")));
    }
}
