//! An earlier run, as `--failed` takes it: which scenarios are to run again, and with which options.

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;
use spawnlab::{
    campaign::verify::{self, Effect},
    report::{
        dir::{COMPARISON, JSON, QUALIFICATION},
        json,
        run::Run,
    },
    run::selection::Selected,
    verdict::event::RunRequest,
};

use crate::output::error::CliError;

const TAKES: &str = "--failed takes the folder of a report of `run` or `prove`, or its run.json; filters stand before it";

/// An earlier run.
#[derive(Debug)]
pub(crate) struct EarlierRun {
    /// What the user knows it by.
    pub(crate) named: Utf8PathBuf,
    /// What it was asked for.
    pub(crate) request: RunRequest,
    /// The scenarios that are still to come out as expected.
    pub(crate) names: Vec<String>,
    /// How the run ended, unless it did so by itself.
    cut: &'static str,
}

impl EarlierRun {
    /// The report `named`, or the newest in `runs`, which has to be one of the command `verb`.
    ///
    /// # Errors
    /// There is none, it can't be read, or it is no report of that command.
    pub(crate) fn open(
        named: Option<&Utf8Path>,
        runs: &Utf8Path,
        verb: &str,
    ) -> Result<Self, CliError> {
        let latest = runs.join("latest").canonicalize_utf8().ok();
        let (named, path) = found(named, runs, latest, TAKES)?;
        let file = file_of(&path);
        let wrong = |why: String| CliError::usage(format!("report {named}"), why);
        let text =
            fs_err::read_to_string(&file).map_err(|error| wrong(error.to_string()).hint(TAKES))?;
        let unread = |why: String| wrong(format!("{file}: {why}")).hint(TAKES);
        if let Some((what, hint)) = campaign(&text).map_err(unread)? {
            return Err(wrong(format!("it is a {what}, which is more than one run")).hint(hint));
        }
        let run = json::read(&text).map_err(unread)?;
        let names = run.unfinished().into_iter().map(str::to_owned).collect();
        let cut = cut(&run);
        let request = run.request.ok_or_else(|| unsaid(&named))?;
        if request.command != verb {
            let command = &request.command;
            return Err(
                wrong(format!("it is a report of `{command}`, not of `{verb}`"))
                    .hint(format!("`spawnlab {command} --failed` takes it")),
            );
        }
        Ok(Self {
            named,
            request,
            names,
            cut,
        })
    }

    /// Leaves of `all` what is to run again, and returns the names of what is no more.
    ///
    /// # Errors
    /// Nothing is left.
    pub(crate) fn retain(&self, all: &mut Vec<Selected>) -> Result<Vec<&str>, CliError> {
        let there: Vec<String> = all.iter().map(Selected::full_name).collect();
        all.retain(|selected| self.names.contains(&selected.full_name()));
        let gone = self.names.iter().filter(|name| !there.contains(name));
        let gone: Vec<&str> = gone.map(String::as_str).collect();
        if all.is_empty() {
            let why = format!(
                "of what is to run again, no scenario is here: {}",
                gone.join(", ")
            );
            return Err(CliError::nothing(format!("report {}", self.named), why)
                .hint("it is of other scenarios, or they have other names now; `spawnlab list` shows those that there are"));
        }
        Ok(gone)
    }

    /// What is run again, and what can't be.
    pub(crate) fn intro(&self, gone: &[&str]) -> String {
        let Self {
            named, names, cut, ..
        } = self;
        let (count, of) = (names.len(), self.request.scenarios.len());
        let mut text = format!("again: {count} of {of} in {named}{cut}");
        for name in gone {
            text += &format!("\n  no more:  {name}");
        }
        text
    }

    /// What is said where nothing is to run again.
    pub(crate) fn nothing(&self) -> String {
        let of = self.request.scenarios.len();
        format!(
            "nothing to run again: all {of} in {} came out as expected",
            self.named
        )
    }

    #[cfg(test)]
    pub(crate) fn of(command: &str, options: &[&str], names: &[&str]) -> Self {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            named: "before".into(),
            request: RunRequest {
                command: command.to_owned(),
                options: owned(options),
                repeat: 1,
                scenarios: owned(names),
                again: String::new(),
            },
            names: owned(names),
            cut: "",
        }
    }
}

/// The report that `named` means, a path or the name of one in `runs`, and where it is: the `latest` if none is named.
/// What `--failed` takes is in `takes`.
pub(super) fn found(
    named: Option<&Utf8Path>,
    runs: &Utf8Path,
    latest: Option<Utf8PathBuf>,
    takes: &str,
) -> Result<(Utf8PathBuf, Utf8PathBuf), CliError> {
    let Some(named) = named else {
        let Some(path) = latest else {
            let why = format!("there was no run yet: {runs} has no report of one");
            return Err(CliError::usage("--failed", why).hint(takes));
        };
        return Ok((path.clone(), path));
    };
    let paths = [named.to_owned(), runs.join(named)];
    match paths.into_iter().find(|path| path.exists()) {
        Some(path) => Ok((named.to_owned(), path)),
        None => Err(CliError::usage(
            format!("report {named}"),
            format!("it is neither a path nor a report in {runs}"),
        )
        .hint(takes)),
    }
}

/// The message that the report `named` can't be run again.
pub(super) fn unsaid(named: &Utf8Path) -> CliError {
    let why = "it does not say what it was run with: it is of an older spawnlab or of `cargo test`";
    CliError::usage(format!("report {named}"), why)
        .hint("each scenario in it has the command that runs it again, `again`")
}

/// The file of the report at `path` that says most: a campaign's folder has run.json, too.
fn file_of(path: &Utf8Path) -> Utf8PathBuf {
    if !path.is_dir() {
        return path.to_owned();
    }
    let files = [QUALIFICATION, COMPARISON].map(|name| path.join(name));
    let campaign = files.into_iter().find(|file| file.exists());
    campaign.unwrap_or_else(|| path.join(JSON))
}

/// What kind of campaign `text` is a report of, if it is one, with the next step for who wants it run again.
fn campaign(text: &str) -> Result<Option<(&'static str, String)>, String> {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    if value.get("plan").is_some() {
        let hint = "`spawnlab qualify --failed` takes it".to_owned();
        return Ok(Some(("qualification", hint)));
    }
    if value.get("change").is_some() {
        let scenarios = verify::read(text)?.scenarios.into_iter();
        let open = scenarios.filter(|one| {
            matches!(
                one.effect,
                Effect::Broken | Effect::Flaky | Effect::Undecided { .. }
            )
        });
        let commands: Vec<String> = open.map(|one| one.again).collect();
        let hint = match commands.as_slice() {
            [] => "all of it came out as expected".to_owned(),
            commands => format!("what failed is run again by {}", commands.join("; ")),
        };
        return Ok(Some(("comparison", hint)));
    }
    Ok(None)
}

fn cut(run: &Run) -> &'static str {
    match &run.summary {
        None => ", which did not end: it was killed, or runs still",
        Some(summary) if summary.interrupted => ", which was interrupted",
        Some(summary) if summary.error.is_some() => ", in which nothing could be run",
        Some(_) => "",
    }
}
