//! What the user is told when the command can't do what it was asked for.

use std::fmt;

use spawnlab::Error;

use crate::output::exit::Exit;

/// One message: what, why, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CliError {
    exit: Exit,
    what: String,
    why: String,
    hint: Option<String>,
}

impl CliError {
    /// Something in the command line is wrong.
    pub(crate) fn usage(what: impl fmt::Display, why: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, what, why)
    }

    /// The machine or the lab is not up to it.
    pub(crate) fn infrastructure(what: impl fmt::Display, why: impl fmt::Display) -> Self {
        Self::new(Exit::Infrastructure, what, why)
    }

    /// What the lab failed of: something that the user gave, or the lab itself.
    pub(crate) fn of(what: impl fmt::Display, error: Error) -> Self {
        match error {
            Error::Given(why) => Self::usage(what, why),
            error => Self::infrastructure(what, error),
        }
    }

    /// There is nothing to do.
    pub(crate) fn nothing(what: impl fmt::Display, why: impl fmt::Display) -> Self {
        Self::new(Exit::NothingSelected, what, why)
    }

    fn new(exit: Exit, what: impl fmt::Display, why: impl fmt::Display) -> Self {
        Self {
            exit,
            what: what.to_string(),
            why: why.to_string(),
            hint: None,
        }
    }

    /// The same with the next step.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// What is wrong, without what it is about and what to do.
    pub(crate) fn why(&self) -> &str {
        &self.why
    }

    /// Prints it to standard error; the exit code comes back.
    #[must_use]
    pub(crate) fn print(&self) -> Exit {
        crate::output::print::stderr(&format!("{self}\n"));
        self.exit
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}: {}", self.what, self.why)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for CliError {}
