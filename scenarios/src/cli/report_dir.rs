//! Where a report goes.

use camino::{Utf8Path, Utf8PathBuf};
use spawnlab::report::dir::{Dir, DirError};

use super::trouble::Trouble;

/// The folder that the user named, or a dated one.
///
/// # Errors
/// It holds something else, or can't be made.
pub fn open(named: Option<&Utf8Path>) -> Result<Dir, Trouble> {
    match named {
        Some(path) => Dir::at(path).map_err(|error| match error {
            DirError::Foreign(_) => Trouble::usage("report", error)
                .hint("--report takes a new or empty folder, or that of an earlier report"),
            error => Trouble::infrastructure("report", error),
        }),
        None => {
            let runs = runs();
            Dir::dated(&runs).map_err(|error| {
                Trouble::infrastructure("report", error)
                    .hint("--report DIR puts the report somewhere else")
            })
        }
    }
}

/// Where dated folders go: `$SPAWNLAB_RUNS`, which `ci/lab` sets to a folder of the repository that
/// it belongs to; else below the repository, if the current folder is in one, else right here.
#[must_use]
pub fn runs() -> Utf8PathBuf {
    if let Ok(runs) = std::env::var("SPAWNLAB_RUNS") {
        return runs.into();
    }
    let here = std::env::current_dir()
        .ok()
        .and_then(|here| Utf8PathBuf::from_path_buf(here).ok());
    let here = here.unwrap_or_else(|| ".".into());
    let repository = here
        .ancestors()
        .find(|folder| folder.join("Cargo.lock").is_file() && folder.join("vm-images").is_dir());
    repository.unwrap_or(&here).join("target/spawnlab/runs")
}
