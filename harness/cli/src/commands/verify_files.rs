//! Where a comparison is written to.

use std::io;

use camino::Utf8Path;
use spawnlab::{
    campaign::verify::{Comparison, junit, markdown},
    report::dir::Dir,
};

use crate::{args::verify::VerifyArgs, output::error::Trouble};

/// Writes `comparison` into the report's folder and wherever `args` want it besides.
///
/// # Errors
/// The first file that can't be written.
pub(crate) fn write(comparison: &Comparison, args: &VerifyArgs, dir: &Dir) -> Result<(), Trouble> {
    let trouble = |error: io::Error| Trouble::infrastructure("report", error);
    let json = serde_json::to_string_pretty(comparison)
        .map_err(|error| trouble(io::Error::from(error)))?
        + "\n";
    let junit = junit::render(comparison).map_err(|error| trouble(io::Error::other(error)))?;
    let files = [
        ("verify.json", json, &args.json),
        ("verify.md", markdown::render(comparison), &args.markdown),
        ("junit.xml", junit, &args.junit),
    ];
    for (name, text, besides) in files {
        dir.write(name, &text).map_err(trouble)?;
        if let Some(path) = besides {
            fs_err::write(path, &text).map_err(trouble)?;
        }
    }
    Ok(())
}

/// Looks whether what `args` name can be written, before minutes are spent.
///
/// # Errors
/// A folder that is not there.
pub(crate) fn check(args: &VerifyArgs) -> Result<(), Trouble> {
    let named = [
        ("--json", &args.json),
        ("--markdown", &args.markdown),
        ("--junit", &args.junit),
    ];
    for (option, path) in named {
        let Some(path) = path else { continue };
        let folder = path.parent().filter(|folder| !folder.as_str().is_empty());
        if path.is_dir() || !folder.unwrap_or(Utf8Path::new(".")).is_dir() {
            return Err(Trouble::usage(
                option,
                format!("{path} can't be written: it is a folder, or is in none that is there"),
            ));
        }
    }
    Ok(())
}
