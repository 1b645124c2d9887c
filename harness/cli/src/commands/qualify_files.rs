//! Where a qualification is written to.

use std::io;

use camino::Utf8Path;
use spawnlab::{
    campaign::qualify::{self, Qualification, junit},
    report::dir::{Dir, DirError, QUALIFICATION},
};

use crate::{lab::report_dir, output::error::CliError};

fn cli_error(error: impl std::fmt::Display) -> CliError {
    CliError::infrastructure("report", error)
}

/// The folder that the user named, or a dated one, with a `qualify.json` of `qualification`.
///
/// # Errors
/// It holds something else, or can't be made.
pub(crate) fn open(
    named: Option<&Utf8Path>,
    qualification: &Qualification,
) -> Result<Dir, CliError> {
    let json = qualify::render(qualification).map_err(cli_error)?;
    let dir = match named {
        Some(path) => Dir::qualification_at(path, &json),
        None => Dir::qualification_dated(&report_dir::runs(), &json),
    };
    dir.map_err(|error| match error {
        DirError::Foreign(_) => CliError::usage("report", error)
            .hint("take a new or empty folder, or that of an earlier report"),
        error => cli_error(error),
    })
}

/// Replaces `qualify.json`: what is known so far.
///
/// # Errors
/// It can't be written.
pub(crate) fn keep(qualification: &Qualification, dir: &Dir) -> Result<(), CliError> {
    let json = qualify::render(qualification).map_err(cli_error)?;
    dir.write(QUALIFICATION, &json).map_err(cli_error)
}

/// Writes every file of the report.
///
/// # Errors
/// The first file that can't be written.
pub(crate) fn write(qualification: &Qualification, dir: &Dir) -> Result<(), CliError> {
    keep(qualification, dir)?;
    let page = qualify::page(qualification).markdown();
    dir.write("qualify.md", &page).map_err(cli_error)?;
    let junit = junit::render(qualification).map_err(io::Error::other);
    dir.write("junit.xml", &junit.map_err(cli_error)?)
        .map_err(cli_error)
}
