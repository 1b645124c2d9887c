//! One step of a declared scenario. The verbs are those of the NixOS test driver.

use std::time::Duration;

use camino::Utf8PathBuf;

use super::data::Located;
use crate::network::{Direction, Impairment};

/// How long a step may take with KVM, unless it says otherwise.
pub(super) const WITHIN: Duration = Duration::from_secs(30);
/// The largest automaton of a pattern, in bytes.
const PATTERN: usize = 1 << 20;

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct DeclaredStep {
    /// The name of the assertion that it makes: a saboteur names it, too.
    pub called: String,
    /// What it does.
    pub act: Do,
    /// The machine that it does it on; the container host if there is none. Steps of the network name theirs themselves.
    pub machine: Option<String>,
    /// The container that it does it in; on the machine itself if there is none.
    pub container: Option<String>,
    /// The user who does it; root, or the deploying user of a deploy, if there is none. A file is theirs.
    pub user: Option<String>,
    /// What is in the environment besides: names that a shell takes, and values.
    pub environment: Vec<(String, String)>,
    /// How long it may take on a machine with KVM.
    pub within: Duration,
    /// What has to come of it, besides what the verb demands.
    pub expected: ExpectedOutput,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub enum Do {
    /// Runs a script, which has to exit with 0.
    Succeed(String),
    /// Runs a script, which has to exit with something else.
    Fail(String),
    /// Runs a script, however it ends.
    Execute(String),
    /// Runs a script again and again until it exits with 0, and prints what is expected.
    WaitUntilSucceeds(String),
    /// Runs a script again and again until it fails.
    WaitUntilFails(String),
    /// Waits until a unit is active; one that has failed ends the wait.
    WaitForUnit(String),
    /// Waits until something listens on a TCP port.
    WaitForOpenPort(u16),
    /// Waits until a container holds a lease of the host's.
    WaitForLease(String),
    /// Waits until a container's name means the address that it leased.
    WaitForName(String),
    /// Calls the tool under test, which has to exit with 0, unless a status is expected.
    Deploy {
        /// The machine of the flake.
        machine: String,
        /// Where it goes.
        container: String,
        /// What is put before the positional arguments.
        flags: Vec<String>,
        /// The ssh destination, unless it is root on the machine itself.
        target: Option<String>,
        /// The flake's folder on the host, unless it is the one that the lab brings.
        flake: Option<String>,
        /// Whether the tool has to end with another status than 0.
        fails: bool,
    },
    /// Puts a file there.
    PutFile {
        /// Its absolute path.
        path: String,
        /// What is in it.
        content: Content,
        /// Its mode, as `chmod` takes it.
        mode: String,
    },
    /// Does something to the frames of a machine, from now on.
    Impair {
        /// The machine.
        machine: String,
        /// Which of its frames.
        direction: Direction,
        /// What is done to them.
        with: Impairment,
    },
    /// Lets no frames of a machine pass any more.
    Cut {
        /// The machine.
        machine: String,
        /// Which of its frames.
        direction: Direction,
    },
    /// Takes back everything that was done to the frames of this machine.
    Heal(String),
}

/// What is in a file that is put on a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// This.
    Bytes(Vec<u8>),
    /// What is in a file, relative to the one that declares the step. [`super::read_files`] reads it.
    From(Located<Utf8PathBuf>),
}

/// What has to come of a command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExpectedOutput {
    /// Its exit status.
    pub status: Option<i32>,
    /// Its standard output.
    pub stdout: Vec<Text>,
    /// Its standard error.
    pub stderr: Vec<Text>,
}

impl ExpectedOutput {
    /// Whether nothing is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.status.is_none() && self.stdout.is_empty() && self.stderr.is_empty()
    }
}

/// What a text has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// This and nothing else, but for white space at its ends.
    Equals(String),
    /// Somewhere this.
    Contains(String),
    /// Nowhere this.
    Lacks(String),
    /// Somewhere what this regular expression (the crate regex's, found sound) means.
    Matches(String),
}

impl Text {
    /// Whether `text` is so.
    #[must_use]
    pub fn holds(&self, text: &str) -> bool {
        match self {
            Self::Equals(whole) => text.trim() == whole.trim(),
            Self::Contains(part) => text.contains(part),
            Self::Lacks(part) => !text.contains(part),
            Self::Matches(pattern) => compiled(pattern).is_ok_and(|pattern| pattern.is_match(text)),
        }
    }

    /// The demand in words.
    #[must_use]
    pub fn demand(&self) -> String {
        match self {
            Self::Equals(whole) => format!("{:?}", whole.trim()),
            Self::Contains(part) => format!("something with {part:?}"),
            Self::Lacks(part) => format!("nothing with {part:?}"),
            Self::Matches(pattern) => format!("something that matches {pattern:?}"),
        }
    }
}

/// `pattern`, in which `^` and `$` are the ends of a line: commands print lines.
pub(super) fn compiled(pattern: &str) -> Result<regex::Regex, regex::Error> {
    regex::RegexBuilder::new(pattern)
        .multi_line(true)
        .size_limit(PATTERN)
        .build()
}

impl DeclaredStep {
    /// Whether it can fail.
    #[must_use]
    pub fn asserts(&self) -> bool {
        let bare = matches!(self.act, Do::Execute(_) | Do::PutFile { .. });
        (!bare || !self.expected.is_empty()) && !self.act.is_of_the_network()
    }
}

impl Do {
    /// Whether it is done in the lab's network, and not on a machine.
    #[must_use]
    pub fn is_of_the_network(&self) -> bool {
        matches!(self, Self::Impair { .. } | Self::Cut { .. } | Self::Heal(_))
    }
}
