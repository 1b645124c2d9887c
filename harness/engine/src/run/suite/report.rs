//! Where the report of a test target goes.

use camino::{Utf8Path, Utf8PathBuf};

use crate::report::dir::{Dir, DirError, point_latest, runs};

/// The report's folder, and whether this process is the one that writes the whole report: under
/// nextest there is one process for each test, and the report is nextest's own.
pub(super) fn folder(named: Option<&Utf8Path>) -> Result<(Utf8PathBuf, Option<Dir>), String> {
    let runs = runs();
    let Ok(run) = std::env::var("NEXTEST_RUN_ID") else {
        let dir = match named {
            Some(named) => Dir::at(named).map_err(|error| match error {
                DirError::Foreign(_) => format!(
                    "SPAWNLAB_REPORT: {error}; it takes a new or empty folder, or that of an earlier report"
                ),
                error => format!("SPAWNLAB_REPORT: {error}"),
            })?,
            None => Dir::dated(&runs).map_err(|error| {
                format!("report: {error}; SPAWNLAB_REPORT puts it somewhere else")
            })?,
        };
        return Ok((dir.path().to_owned(), Some(dir)));
    };
    let path = match named {
        Some(named) => named.to_owned(),
        None => {
            let name = format!("nextest-{run}");
            let path = runs.join(&name);
            let text = |error: std::io::Error| error.to_string();
            fs_err::create_dir_all(&path).map_err(text)?;
            point_latest(&runs, &name).map_err(text)?;
            path
        }
    };
    Ok((path, None))
}
