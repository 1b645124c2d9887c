//! A command line as data: built by pure functions, shown by `-v`, started by the engine.

use crate::quote::quote;
use std::ffi::OsStr;
use std::fmt;
use std::process;

/// A program with its arguments and what it gets in its environment besides the tool's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommandLine {
    program: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

impl CommandLine {
    pub(crate) fn new(program: &str) -> Self {
        Self {
            program: program.to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
        }
    }

    pub(crate) fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    pub(crate) fn args<I: IntoIterator<Item = S>, S: Into<String>>(mut self, arguments: I) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// The program's name, for errors.
    pub(crate) fn program(&self) -> &str {
        &self.program
    }

    pub(crate) fn to_process(&self) -> process::Command {
        let mut command = process::Command::new(OsStr::new(&self.program));
        command.args(&self.arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.environment {
            write!(formatter, "{name}={} ", quote(value))?;
        }
        formatter.write_str(&quote(&self.program))?;
        for argument in &self.arguments {
            write!(formatter, " {}", quote(argument))?;
        }
        Ok(())
    }
}
