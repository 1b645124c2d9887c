//! Files that are whole at any moment, even when the lab is killed while it writes.

use std::{fs::Permissions, io, io::Write, os::unix::fs::PermissionsExt};

use camino::Utf8Path;
use serde::Serialize;

/// Puts `text` in place of what is at `path`, by rename.
pub(crate) fn replace(path: &Utf8Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Utf8Path::new("."));
    // What `tempfile` says names its own file, and not always that.
    let name =
        |error: io::Error| io::Error::new(error.kind(), format!("{path}: {}", reason(&error)));
    // Temporary files are private by default; what is in a report is for everybody who may look into its folder.
    let mut file = tempfile::Builder::new()
        .prefix(".part-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .map_err(name)?;
    file.write_all(text.as_bytes()).map_err(name)?;
    file.persist(path).map_err(|error| name(error.error))?;
    Ok(())
}

fn reason(error: &io::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// Puts `value` in place of what is at `path`, as indented JSON with a line's end.
pub(crate) fn replace_json(path: &Utf8Path, value: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    replace(path, &text)
}
