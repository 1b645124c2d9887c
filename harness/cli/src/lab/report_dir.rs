//! Where a report goes.

use camino::Utf8Path;
pub(crate) use spawnlab::report::dir::runs;
use spawnlab::report::dir::{Dir, DirError};

use crate::output::error::CliError;

/// The folder that the user named, or a dated one.
///
/// # Errors
/// It holds something else, or can't be made.
pub(crate) fn open(named: Option<&Utf8Path>) -> Result<Dir, CliError> {
    match named {
        Some(path) => Dir::at(path).map_err(|error| match error {
            DirError::Foreign(_) => CliError::usage("report", error)
                .hint("--report takes a new or empty folder, or that of an earlier report"),
            error => CliError::infrastructure("report", error),
        }),
        None => {
            let runs = runs();
            Dir::dated(&runs).map_err(|error| {
                CliError::infrastructure("report", error)
                    .hint("--report DIR puts the report somewhere else")
            })
        }
    }
}
