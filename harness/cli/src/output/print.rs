//! Output whose reader may have gone: `spawnlab list | head -1` is no error.

use std::io::{self, Write};

use crate::output::error::CliError;

/// Writes `text` to standard output.
///
/// # Errors
/// It can't be written, for another reason than that nobody reads.
pub(crate) fn stdout(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CliError::infrastructure("standard output", error))
        }
        _ => Ok(()),
    }
}

/// Writes `text` to standard error, if that is possible.
pub(crate) fn stderr(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
