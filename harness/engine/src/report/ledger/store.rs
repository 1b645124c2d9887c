//! The file of a ledger: read by anybody, written by one process at a time.

use std::{io::ErrorKind, time::Duration};

use camino::Utf8Path;

use super::Ledger;
use crate::{
    layer::lock::Lock,
    report::{file, run::Run},
    util::error::{Error, Result},
};

/// The file's name in the cache.
pub const FILE: &str = "ledger.json";
/// How long another process may take that writes it.
const LIMIT: Duration = Duration::from_secs(20);
/// What writers lock, beside it.
const LOCK: &str = ".ledger.lock";

/// The ledger of the cache `folder`; an empty one if there is none yet.
///
/// # Errors
/// [`Error::Given`] with the next step: it is damaged, of another version, or can't be read.
pub fn read(folder: &Utf8Path) -> Result<Ledger> {
    let path = folder.join(FILE);
    let wrong = |why: String| {
        Error::Given(format!(
            "{path}: {why}; remove the file, and what is known of earlier runs begins anew"
        ))
    };
    match fs_err::read_to_string(&path) {
        Ok(text) => Ledger::parse(&text).map_err(wrong),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Ledger::default()),
        Err(error) => Err(wrong(error.to_string())),
    }
}

/// Counts `runs` in the ledger of the cache `folder`, and returns how many of them were not in it yet.
/// What other processes count meanwhile stays; a damaged file is left as it is.
///
/// # Errors
/// Those of [`read`]; another process that does not let go of the file; or it can't be written.
pub async fn update(folder: &Utf8Path, runs: &[Run]) -> Result<usize> {
    let _held = Lock::exclusive(&folder.join(LOCK), LIMIT).await?;
    let mut ledger = read(folder)?;
    let mut order: Vec<&Run> = runs.iter().collect();
    order.sort_by(|one, other| one.started.cmp(&other.started));
    let counted = order.into_iter().filter(|run| ledger.note(run)).count();
    if counted > 0 {
        let text = ledger.render().map_err(std::io::Error::from)?;
        file::replace(&folder.join(FILE), &text)?;
    }
    Ok(counted)
}
