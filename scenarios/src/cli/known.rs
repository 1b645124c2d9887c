//! The list of known bugs: the user's, or the one that the command carries along.

use camino::Utf8Path;
use spawnlab::run::known::Known;

use super::trouble::Trouble;
use crate::registry;

/// The repository's list. Built in, since an installed command has no repository around it.
const BUILT_IN: &str = include_str!("../../../ci/known.toml");

/// Those that were built in.
///
/// # Errors
/// One of them has expired.
pub fn built_in() -> Result<Known, Trouble> {
    read(None, &registry::names())
}

/// The rows of `file`, or those that were built in; `names` are those of all scenarios.
///
/// # Errors
/// The file can't be read, or a row is wrong or has expired.
pub(super) fn read(file: Option<&Utf8Path>, names: &[String]) -> Result<Known, Trouble> {
    let what = format!(
        "known bugs in {}",
        file.map_or("ci/known.toml", Utf8Path::as_str)
    );
    let text = match file {
        None => BUILT_IN.to_owned(),
        Some(file) => fs_err::read_to_string(file).map_err(|error| Trouble::usage(&what, error))?,
    };
    Known::read_today(&text, names).map_err(|why| {
        Trouble::usage(&what, why)
            .hint("--known FILE takes another list; an empty file knows of no bug")
    })
}
