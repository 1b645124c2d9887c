//! Where a comparison is written to.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use spawnlab::{
    campaign::verify::{self, Comparison, junit},
    report::dir::{COMPARISON, Dir},
};

use crate::{args::verify::VerifyArgs, output::error::CliError};

/// The files of a comparison: their names in a report, and what they hold.
fn files(comparison: &Comparison) -> Result<[(&'static str, String); 3], CliError> {
    let cli_error = |error: io::Error| CliError::infrastructure("report", error);
    let json = verify::render(comparison).map_err(|error| cli_error(error.into()))?;
    let junit = junit::render(comparison).map_err(|error| cli_error(io::Error::other(error)))?;
    Ok([
        (COMPARISON, json),
        ("verify.md", verify::page(comparison).markdown()),
        ("junit.xml", junit),
    ])
}

/// The files that `args` name besides, in the order of [`files`], each with its option.
fn besides(args: &VerifyArgs) -> [(&'static str, &Option<Utf8PathBuf>); 3] {
    [
        ("--json", &args.json),
        ("--markdown", &args.markdown),
        ("--junit", &args.junit),
    ]
}

/// Writes `comparison` into the report's folder.
///
/// # Errors
/// The first file that can't be written.
pub(crate) fn write(comparison: &Comparison, dir: &Dir) -> Result<(), CliError> {
    for (name, text) in files(comparison)? {
        dir.write(name, &text)
            .map_err(|error| CliError::infrastructure("report", error))?;
    }
    Ok(())
}

/// Writes `comparison` wherever `args` want it besides.
///
/// # Errors
/// The first file that can't be written.
pub(crate) fn write_besides(comparison: &Comparison, args: &VerifyArgs) -> Result<(), CliError> {
    for ((_, text), (_, path)) in files(comparison)?.iter().zip(besides(args)) {
        if let Some(path) = path {
            fs_err::write(path, text).map_err(|error| CliError::infrastructure("report", error))?;
        }
    }
    Ok(())
}

/// Looks whether what `args` name can be written, before minutes are spent.
///
/// # Errors
/// A folder that is not there.
pub(crate) fn check(args: &VerifyArgs) -> Result<(), CliError> {
    for (option, path) in besides(args) {
        let Some(path) = path else { continue };
        let folder = path.parent().filter(|folder| !folder.as_str().is_empty());
        if path.is_dir() || !folder.unwrap_or(Utf8Path::new(".")).is_dir() {
            return Err(CliError::usage(
                option,
                format!("{path} can't be written: it is a folder, or is in none that is there"),
            ));
        }
    }
    Ok(())
}
