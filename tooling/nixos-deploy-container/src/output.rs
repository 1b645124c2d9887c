//! What a person sees: progress on standard error, one result line per container on standard output.

use std::fmt::Display;
use std::io::{self, Write};

/// A step begins.
pub(crate) fn headline(text: impl Display) {
    // A reader that went away must not stop a deploy half-way.
    let _ = writeln!(io::stderr(), "== {text}");
}

/// A line of a step's own output.
pub(crate) fn line(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// A command, as `-v` shows it.
pub(crate) fn command(text: impl Display) {
    let _ = writeln!(io::stderr(), "+ {text}");
}

/// What came out of it.
pub(crate) fn result(text: impl Display) {
    let _ = writeln!(io::stdout(), "{text}");
}

/// Why it failed.
pub(crate) fn error(text: impl Display) {
    let _ = writeln!(io::stderr(), "error: {text}");
}
