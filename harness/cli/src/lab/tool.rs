//! The deploy tool that the user names.

use camino::{Utf8Path, Utf8PathBuf};
use spawnlab::scenario::tool;

use crate::output::error::CliError;

/// What a tool is.
pub(crate) const HINT: &str = tool::FORM;

/// The absolute path of the executable file `path`.
pub(crate) fn checked(path: &Utf8Path) -> Result<Utf8PathBuf, CliError> {
    tool::checked(path).map_err(|why| {
        CliError::usage(format!("tool {path}"), why).hint(format!("--tool takes {HINT}"))
    })
}
