//! From bytes to data.

use super::{check::Checker, data::File, problem::Problem, raw::RawFile};

/// Larger files are a mistake, such as the name of an image.
const LARGEST: usize = 1 << 20;

/// Reads `bytes`, which are those of `file`.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn parse(file: &str, bytes: &[u8]) -> Result<File, Problem> {
    if bytes.len() > LARGEST {
        return Err(Problem::at(
            file,
            "",
            0..0,
            format!("{} bytes are too many for a list of scenarios", bytes.len()),
            "a file of scenarios has at most 1 MiB; split it",
        ));
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let sound = error.valid_up_to();
            let text = std::str::from_utf8(&bytes[..sound]).unwrap_or_default();
            return Err(Problem::at(
                file,
                text,
                sound..sound,
                format!("the byte 0x{:02x} that follows is not UTF-8", bytes[sound]),
                "TOML is written in UTF-8",
            ));
        }
    };
    let raw: RawFile = toml::from_str(text).map_err(|error| {
        let (message, hint) = words(error.message());
        Problem::at(file, text, error.span().unwrap_or(0..0), message, hint)
    })?;
    Checker { file, text }.file(raw)
}

const TYPES: [(&str, &str); 15] = [
    ("expected a map", "expected { NAME = \"...\" }"),
    ("expected u16", "expected a port, from 1 to 65535"),
    ("expected u64", "expected a number of seconds"),
    ("expected i32", "expected an exit status"),
    (
        "expected f64",
        "expected a share of all frames, from 0 to 1",
    ),
    ("expected a sequence", "expected a list"),
    ("expected struct RawFile", "expected tables"),
    ("expected struct RawTarget", "expected a table"),
    (
        "expected struct RawDeploy",
        "expected { machine = \"...\" }",
    ),
    ("expected struct RawScenario", "expected a table"),
    ("expected struct RawStep", "expected { VERB = \"...\" }"),
    ("expected struct RawSaboteur", "expected a table"),
    ("expected struct RawMachine", "expected { name = \"...\" }"),
    ("expected struct RawImpairment", "expected { loss = ... }"),
    ("expected struct RawText", "expected { contains = \"...\" }"),
];

/// serde's message in the words of the page, and the next step.
fn words(message: &str) -> (String, String) {
    let first = message.lines().next().unwrap_or_default().to_owned();
    let hint = match first.split_once(", expected ") {
        Some((_, known)) if first.starts_with("unknown field") => {
            let found = first.split('`').nth(1).unwrap_or_default();
            let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
            match nearest(found, &known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are {}", known.join(", ")),
            }
        }
        _ if first.starts_with("missing field") => {
            "add it to the table that begins here".to_owned()
        }
        _ => "docs/spawnlab-toml.md shows a whole file".to_owned(),
    };
    let mut message = match first.split_once(", expected one of") {
        Some((message, _)) => message.to_owned(),
        None => first,
    };
    // The names of Rust's types say nothing to whoever writes the file.
    for (theirs, ours) in TYPES {
        if let Some(rest) = message.strip_suffix(theirs) {
            message = format!("{rest}{ours}");
        }
    }
    (message, hint)
}

/// The one of `known` that `found` was meant to be, if one is near.
pub(super) fn nearest<'a>(found: &str, known: &[&'a str]) -> Option<&'a str> {
    let likeness = |one: &&str| strsim::jaro_winkler(one, found);
    let near = known
        .iter()
        .max_by(|one, other| likeness(one).total_cmp(&likeness(other)))?;
    (likeness(near) > 0.75).then_some(near)
}
