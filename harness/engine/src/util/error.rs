//! What can go wrong beneath a scenario, by where it went wrong.

use std::time::Duration;

/// An error of the lab itself or of a step it waited for.
///
/// A scenario turns it into a verdict with `?`: see [`crate::verdict::ScenarioError`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of the lab could not be read or written; the path is in the message.
    #[error(transparent)]
    Io(#[from] std::io::Error),

    /// The image folder is missing, damaged or of an unknown version.
    #[error("image: {0}")]
    Image(String),

    /// QEMU could not be started, or ended before it was told to.
    #[error("qemu: {0}")]
    Qemu(String),

    /// The monitor (QMP) refused a command or its socket broke.
    #[error("qemu monitor: {0}")]
    Monitor(String),

    /// The guest agent refused a command or its socket broke.
    #[error("guest agent: {0}")]
    Agent(String),

    /// Nothing happened for too long.
    #[error(transparent)]
    Timeout(#[from] Timeout),

    /// A command that had to succeed (or to fail) did not.
    #[error(transparent)]
    Command(#[from] CommandError),

    /// A program in the VM answered something that could not be read as what it documents.
    #[error("{program} answered something unexpected: {why}")]
    Answer {
        /// The program that answered.
        program: String,
        /// What could not be read.
        why: String,
    },

    /// A layer could not be built, saved or loaded.
    #[error("layer {name}: {why}")]
    Layer {
        /// The layer's name.
        name: String,
        /// What went wrong.
        why: String,
    },

    /// A file that the user gave can't be used; the text says which, and why.
    #[error("{0}")]
    Given(String),

    /// The machine that runs the lab lacks something; the text names the next step.
    #[error("{0}")]
    Machine(String),
}

impl Error {
    /// An [`Error::Answer`] of `program`.
    pub fn answer(program: impl Into<String>, why: impl std::fmt::Display) -> Self {
        Self::Answer {
            program: program.into(),
            why: why.to_string(),
        }
    }
}

/// A wait that ended without what it waited for.
#[derive(Debug, Clone, thiserror::Error)]
#[error("waited {} for {what}; last seen: {last}", humantime::format_duration(*.waited))]
pub struct Timeout {
    /// What was waited for.
    pub what: String,
    /// How long, rounded to milliseconds.
    pub waited: Duration,
    /// What was seen last.
    pub last: String,
}

/// A command in the VM whose exit status was not the demanded one.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{command}` {demand}, but ended with {status}{}", tail(.stdout, .stderr))]
pub struct CommandError {
    /// The command, as given to the shell.
    pub command: String,
    /// "should succeed" or "should fail".
    pub demand: &'static str,
    /// Exit status in words, such as `exit status 3` or `signal 9`.
    pub status: String,
    /// Its whole standard output.
    pub stdout: String,
    /// Its whole standard error.
    pub stderr: String,
}

fn tail(stdout: &str, stderr: &str) -> String {
    let text = if stderr.trim().is_empty() {
        stdout
    } else {
        stderr
    };
    let lines: Vec<&str> = text.trim().lines().collect();
    if lines.is_empty() {
        return " (no output)".into();
    }
    let from = lines.len().saturating_sub(12);
    format!(":\n{}", lines[from..].join("\n"))
}

/// Result of the library.
pub type Result<T, E = Error> = std::result::Result<T, E>;
