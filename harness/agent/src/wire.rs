//! The protocol's lines: a request is `{"execute": COMMAND, "arguments": {...}, "id": ID}`, an answer
//! `{"return": ..., "id": ID}` or `{"error": {"class": ..., "desc": ...}, "id": ID}`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

/// A request; what its arguments are is up to the command.
#[derive(Debug, Deserialize)]
pub(crate) struct GuestRequest<'a> {
    #[serde(borrow)]
    pub(crate) execute: Cow<'a, str>,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
    pub(crate) id: Option<u64>,
}

impl GuestRequest<'_> {
    /// Its arguments, as the command wants them.
    ///
    /// # Errors
    /// When they are missing or of another shape.
    pub(crate) fn arguments<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        let text = self.arguments.map_or("{}", RawValue::get);
        serde_json::from_str(text).map_err(generic)
    }
}

/// Why a request is refused: QEMU's class of the error, and words.
#[derive(Debug, Serialize)]
pub(crate) struct Refusal {
    class: &'static str,
    desc: String,
}

/// A refusal of no special class.
pub(crate) fn generic(error: impl std::fmt::Display) -> Refusal {
    Refusal {
        class: "GenericError",
        desc: error.to_string(),
    }
}

/// The refusal of a command that there is not.
pub(crate) fn unknown(execute: &str) -> Refusal {
    Refusal {
        class: "CommandNotFound",
        desc: format!("the command {execute} has not been found"),
    }
}

#[derive(Serialize)]
struct Answer<T> {
    #[serde(rename = "return", skip_serializing_if = "Option::is_none")]
    value: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Refusal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
}

/// The line that answers the request `id`.
pub(crate) fn line<T: Serialize>(id: Option<u64>, answer: Result<T, Refusal>) -> Vec<u8> {
    let (value, error) = match answer {
        Ok(value) => (Some(value), None),
        Err(refusal) => (None, Some(refusal)),
    };
    // Strings, numbers and truth values always have a form in JSON.
    let mut line = serde_json::to_vec(&Answer { value, error, id }).unwrap_or_default();
    line.push(b'\n');
    line
}
