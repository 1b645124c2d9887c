//! What is wrong with a file, and where.

use std::{fmt, ops::Range};

use crate::util::text::printable;

/// How much of a long line is shown around the place.
const SHOWN: usize = 100;

/// A message for the user that points into the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file's name.
    pub file: Box<str>,
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// What is wrong there.
    pub message: Box<str>,
    /// The next step.
    pub hint: Box<str>,
    /// The line's text, or the part of it around the place.
    source: Box<str>,
    /// Where in `source` the place begins, in characters, and how many it has.
    mark: (usize, usize),
}

impl Problem {
    /// At `location` of `text`, which is that of `file`.
    #[must_use]
    pub fn at(
        file: &str,
        text: &str,
        location: Range<usize>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        let begin = boundary(text, location.start);
        let end = boundary(text, location.end.max(begin));
        let from = text[..begin].rfind('\n').map_or(0, |at| at + 1);
        let to = text[begin..].find('\n').map_or(text.len(), |at| begin + at);
        let column = text[from..begin].chars().count();
        let width = text[begin..end.min(to).max(begin)].chars().count().max(1);
        let first = column.saturating_sub(SHOWN / 2);
        let shown: Vec<char> = text[from..to].chars().skip(first).take(SHOWN).collect();
        // What would steer the terminal takes its place all the same.
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        let source: String = shown.iter().copied().map(plain).collect();
        Self {
            file: file.into(),
            line: text[..begin].matches('\n').count() + 1,
            column: column + 1,
            message: printable(&message.into()).into(),
            hint: printable(&hint.into()).into(),
            mark: (
                column - first,
                width.min(shown.len().saturating_sub(column - first).max(1)),
            ),
            source: source.trim_end().into(),
        }
    }

    /// `file:line:column`, as editors and compilers write it.
    #[must_use]
    pub fn location(&self) -> String {
        format!("{}:{}:{}", self.file, self.line, self.column)
    }

    /// The message with the line it is about.
    #[must_use]
    pub fn explained(&self) -> String {
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        let (before, width) = self.mark;
        format!(
            "{}\n{margin} |\n{number} | {}\n{margin} | {}{}",
            self.message,
            self.source,
            " ".repeat(before),
            "^".repeat(width)
        )
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}\nhint: {}",
            self.location(),
            self.explained(),
            self.hint
        )
    }
}

impl std::error::Error for Problem {}

/// The last place in `text` up to `at` where a character begins.
fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
