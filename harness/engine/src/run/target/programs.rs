//! Our own programs that run in a VM: built statically, because hosts have different C libraries.

use std::{fmt, path::PathBuf};

use camino::Utf8PathBuf;

use crate::{
    Error, Result,
    scenario::adapter::{Adapted, GivenTool},
};

/// The name of our deploy tool's program.
const TOOL: &str = "nixos-deploy-container";
/// The name of the agent's program.
const AGENT: &str = "spawnlab-agent";

/// The contents of the programs that a command carries along, so that it works without a checkout around it.
#[derive(Debug, Clone, Copy, Default)]
pub struct OwnPrograms {
    /// Our deploy tool.
    pub tool: Option<&'static [u8]>,
    /// The lab's own agent.
    pub agent: Option<&'static [u8]>,
}

impl OwnPrograms {
    /// Our deploy tool: the file of `SPAWNLAB_OWN_TOOL`, the one in here, or the one that `ci/lab` has built.
    ///
    /// # Errors
    /// When it is nowhere.
    pub fn own_tool(self) -> Result<LabProgram> {
        choose(TOOL, "SPAWNLAB_OWN_TOOL", self.tool)?.ok_or_else(|| {
            Error::Machine(format!(
                "the deploy tool {TOOL} was not found; run ci/lab, which builds it, or name one with --tool or SPAWNLAB_TOOL"
            ))
        })
    }

    /// The lab's own agent, found as the tool is, with `SPAWNLAB_AGENT`. Without it qemu-ga serves, slower.
    ///
    /// # Errors
    /// When its path is not UTF-8.
    pub fn own_agent(self) -> Result<Option<LabProgram>> {
        choose(AGENT, "SPAWNLAB_AGENT", self.agent)
    }
}

/// A program for the lab disk: a file, or what this command carries along.
#[derive(Debug, Clone)]
pub enum LabProgram {
    /// A file of this machine.
    File(Utf8PathBuf),
    /// A program of ours in the command itself.
    BuiltIn {
        /// What it is called.
        name: &'static str,
        /// The program.
        content: &'static [u8],
    },
    /// What calls a checkout of the user's as the contract says.
    Adapter(Adapted),
}

impl From<GivenTool> for LabProgram {
    fn from(tool: GivenTool) -> Self {
        match tool {
            GivenTool::Program(path) => Self::File(path),
            GivenTool::Adapted(adapted) => Self::Adapter(adapted),
        }
    }
}

impl LabProgram {
    /// The program's bytes.
    ///
    /// # Errors
    /// A file that can't be read.
    pub fn read(&self) -> Result<Vec<u8>> {
        Ok(match self {
            Self::File(path) => fs_err::read(path)?,
            Self::BuiltIn { content, .. } => content.to_vec(),
            Self::Adapter(adapted) => adapted.adapter.deploy.to_vec(),
        })
    }
}

impl fmt::Display for LabProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.fmt(f),
            Self::Adapter(adapted) => adapted.fmt(f),
            Self::BuiltIn { name, .. } => {
                write!(f, "{name} of spawnlab {}", env!("CARGO_PKG_VERSION"))
            }
        }
    }
}

/// What the user names wins; a command with its programs in it looks nowhere else.
fn choose(
    name: &'static str,
    variable: &str,
    built_in: Option<&'static [u8]>,
) -> Result<Option<LabProgram>> {
    let named = std::env::var_os(variable).filter(|value| !value.is_empty());
    if let (None, Some(content)) = (&named, built_in) {
        return Ok(Some(LabProgram::BuiltIn { name, content }));
    }
    let program = std::env::current_exe()?;
    let beside = program.parent().map(|dir| dir.join(name));
    // Below the repository, whose own target folder may be that of a crate in a folder of it.
    let target = program
        .ancestors()
        .map(|dir| {
            dir.join("target/x86_64-unknown-linux-gnu/release")
                .join(name)
        })
        .find(|path| path.is_file());
    let found: Option<PathBuf> = named
        .map(Into::into)
        .or(target)
        .or_else(|| beside.filter(|path| path.is_file()));
    let path = |path| {
        Utf8PathBuf::from_path_buf(path)
            .map(LabProgram::File)
            .map_err(|path| Error::Machine(format!("{} is not UTF-8", path.display())))
    };
    found.map(path).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The variables of these names are set where `ci/lab` runs, so the names here are others.
    #[test]
    fn a_command_with_its_programs_in_it_looks_for_no_file() {
        let chosen = choose("cargo", "SPAWNLAB_NO_SUCH_TOOL", Some(b"ELF")).unwrap();
        let chosen = chosen.expect("a program");
        assert_eq!(chosen.read().unwrap(), b"ELF");
        assert_eq!(
            chosen.to_string(),
            format!("cargo of spawnlab {}", env!("CARGO_PKG_VERSION"))
        );
    }

    #[test]
    fn what_the_user_names_wins_over_what_is_built_in() {
        let named = std::env::var("PATH").expect("a PATH");
        let chosen = choose("cargo", "PATH", Some(b"ELF")).unwrap();
        assert!(matches!(chosen, Some(LabProgram::File(path)) if path == named));
    }

    #[test]
    fn a_program_that_is_nowhere_is_none() {
        let chosen = choose("no-such-program", "SPAWNLAB_NO_SUCH_TOOL", None).unwrap();
        assert!(chosen.is_none(), "{chosen:?}");
    }
}
