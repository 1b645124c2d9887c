//! An earlier qualification, as `qualify --failed` takes it: which scenarios are to run again, in which cases.

use camino::{Utf8Path, Utf8PathBuf};
use spawnlab::{
    campaign::qualify::{self, cover::Cover},
    report::dir::QUALIFICATION,
    verdict::event::RunRequest,
};

use super::before::{found, unsaid};
use crate::output::error::CliError;

const TAKES: &str = "--failed takes the folder of a report of `qualify`, or its qualify.json; the matrix stands before it";

/// An earlier qualification.
#[derive(Debug)]
pub(crate) struct EarlierQualification {
    /// What the user knows it by.
    pub(crate) named: Utf8PathBuf,
    /// What it was asked for.
    pub(crate) request: RunRequest,
    /// How much of the matrix it was to run.
    pub(crate) cover: Cover,
    /// The cases with scenarios that are still to come out as expected, with the names of those.
    pub(crate) open: Vec<(String, Vec<String>)>,
    /// How many cases it has.
    cases: usize,
    /// Whether it was cut short.
    interrupted: bool,
}

impl EarlierQualification {
    /// The report `named`, or the newest of a qualification in `runs`.
    ///
    /// # Errors
    /// There is none, it can't be read, or it is no report of a qualification.
    pub(crate) fn open(named: Option<&Utf8Path>, runs: &Utf8Path) -> Result<Self, CliError> {
        let (named, path) = found(named, runs, newest(runs), TAKES)?;
        let file = match path.is_dir() {
            true => path.join(QUALIFICATION),
            false => path,
        };
        let wrong = |why: String| CliError::usage(format!("report {named}"), why).hint(TAKES);
        let text = fs_err::read_to_string(&file).map_err(|error| wrong(error.to_string()))?;
        let report = qualify::read(&text).map_err(|why| wrong(format!("{file}: {why}")))?;
        let request = report.request.clone().ok_or_else(|| unsaid(&named))?;
        Ok(Self {
            named,
            request,
            cover: report.plan.cover,
            open: report.unfinished(),
            cases: report.cases.len(),
            interrupted: report.interrupted,
        })
    }

    /// The scenarios of the case `name` that are to run again.
    pub(crate) fn of_case(&self, name: &str) -> &[String] {
        let found = self.open.iter().find(|(case, _)| case == name);
        found.map_or(&[], |(_, scenarios)| scenarios)
    }

    /// The message that of what is to run again nothing is there any more.
    pub(crate) fn gone(&self) -> CliError {
        let cases: Vec<&str> = self.open.iter().map(|(case, _)| case.as_str()).collect();
        let why = format!(
            "of what is to run again, nothing is here: {}",
            cases.join("; ")
        );
        CliError::nothing(format!("report {}", self.named), why).hint(
            "it is of another matrix or of other scenarios, or --case and --scenario leave all of it out; \
             `spawnlab qualify --list --full` shows what there is",
        )
    }

    /// What is run again of it, if that is `scenarios` in `cases`.
    pub(crate) fn intro(&self, scenarios: usize, cases: usize) -> String {
        let cut = match self.interrupted {
            true => ", which was interrupted",
            false => "",
        };
        let s = if scenarios == 1 { "" } else { "s" };
        let of = self.cases;
        let mut text = format!(
            "again: {scenarios} scenario{s} in {cases} of {of} cases in {}{cut}",
            self.named
        );
        let wanted: usize = self.open.iter().map(|(_, names)| names.len()).sum();
        if wanted > scenarios {
            text += &format!(
                "\n  left out: {}, which are no more, or not selected",
                wanted - scenarios
            );
        }
        text
    }

    /// What is said where nothing is to run again.
    pub(crate) fn nothing(&self) -> String {
        format!(
            "nothing to run again: every case in {} came out as expected",
            self.named
        )
    }
}

/// The newest report of a qualification in `runs`, whose folders are called after the time.
fn newest(runs: &Utf8Path) -> Option<Utf8PathBuf> {
    let entries = runs.read_dir_utf8().ok()?.flatten();
    let folders = entries.map(camino::Utf8DirEntry::into_path);
    // `latest` is one of the others.
    let of_qualifications =
        folders.filter(|dir| !dir.is_symlink() && dir.join(QUALIFICATION).exists());
    of_qualifications.max()
}
