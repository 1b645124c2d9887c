//! The list of known bugs: the user's, or the one that the suite brings along.

use camino::Utf8Path;
use spawnlab::run::{known::Known, suite::Suite};

use crate::output::error::CliError;

/// Those that `suite` brings along.
///
/// # Errors
/// One of them has expired.
pub fn built_in(suite: &Suite) -> Result<Known, CliError> {
    suite
        .known_bugs()
        .map_err(|why| wrong("ci/known.toml", why))
}

/// The rows of `file`, or those of `suite`; `names` are those of all scenarios.
///
/// # Errors
/// The file can't be read, or a row is wrong or has expired.
pub(crate) fn read(
    file: Option<&Utf8Path>,
    suite: &Suite,
    names: &[String],
) -> Result<Known, CliError> {
    let Some(file) = file else {
        return built_in(suite);
    };
    let text = fs_err::read_to_string(file).map_err(|error| wrong(file.as_str(), error))?;
    Known::read_today(&text, names).map_err(|why| wrong(file.as_str(), why))
}

fn wrong(file: &str, why: impl std::fmt::Display) -> CliError {
    CliError::usage(format!("known bugs in {file}"), why)
        .hint("--known FILE takes another list; an empty file knows of no bug")
}
