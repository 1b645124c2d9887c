//! JSON files with the version of their layout, written and read.

use serde::{Serialize, de::DeserializeOwned};

/// `value` as the text of its file.
///
/// # Errors
/// None that derived types cause.
pub(crate) fn render(value: &impl Serialize) -> serde_json::Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// What `text` holds: `what`, whose field `version` has to be this `version`.
///
/// # Errors
/// A text for the user, if it is no such file or one of another version.
pub(crate) fn read<T: DeserializeOwned>(text: &str, version: u32, what: &str) -> Result<T, String> {
    let value: serde_json::Value =
        serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    let written = &value["version"];
    if written != &serde_json::json!(version) {
        return Err(format!(
            "layout version {written}, but this spawnlab reads {version}; read it with the spawnlab that wrote it"
        ));
    }
    serde_json::from_value(value).map_err(|error| format!("not a {what}: {error}"))
}
