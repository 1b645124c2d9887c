//! What steps put on machines from files beside the one that declares them.

use camino::Utf8Path;

use super::{
    check_words::LARGEST,
    data::File,
    problem::Problem,
    step::{Content, Do},
};

/// Reads what steps of `declared` take from files, relative to `folder`; `file` and its `text` are for the message.
///
/// # Errors
/// A file that can't be read, or is too large for a step.
pub fn read_files(
    declared: &mut File,
    folder: &Utf8Path,
    (file, text): (&str, &str),
) -> Result<(), Problem> {
    let steps = declared.scenarios.iter_mut().flat_map(|one| &mut one.steps);
    for step in steps {
        let Do::PutFile { content, .. } = &mut step.act else {
            continue;
        };
        let Content::From(from) = content else {
            continue;
        };
        let wrong = |why: String| {
            let hint = "a file beside this one, of 64 KiB at most";
            Problem::at(file, text, from.location.clone(), why, hint)
        };
        let bytes = fs_err::read(folder.join(&from.value)).map_err(|why| wrong(why.to_string()))?;
        if bytes.len() > LARGEST {
            return Err(wrong(format!("{} has {} bytes", from.value, bytes.len())));
        }
        *content = Content::Bytes(bytes);
    }
    Ok(())
}
