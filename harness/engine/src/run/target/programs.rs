//! Our own programs that run in a VM: built statically, because hosts have different C libraries.

use std::path::PathBuf;

use camino::Utf8PathBuf;

use crate::{Error, Result};

/// Our deploy tool. `ci/lab` builds it and says where in `SPAWNLAB_OWN_TOOL`; an installed command
/// has it beside itself.
///
/// # Errors
/// When it is nowhere.
pub fn own_tool() -> Result<Utf8PathBuf> {
    const NAME: &str = "nixos-deploy-container";
    find(NAME, "SPAWNLAB_OWN_TOOL")?.ok_or_else(|| {
        Error::Machine(format!(
            "the deploy tool {NAME} was not found; run ci/lab, which builds it, or name one with --tool or SPAWNLAB_TOOL"
        ))
    })
}

/// The lab's own agent, found as the tool is, with `SPAWNLAB_AGENT`. Without it qemu-ga serves, slower.
///
/// # Errors
/// When its path is not UTF-8.
pub fn agent() -> Result<Option<Utf8PathBuf>> {
    find("spawnlab-agent", "SPAWNLAB_AGENT")
}

fn find(name: &str, variable: &str) -> Result<Option<Utf8PathBuf>> {
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
    let found: Option<PathBuf> = std::env::var_os(variable)
        .filter(|value| !value.is_empty())
        .map(Into::into)
        .or(target)
        .or_else(|| beside.filter(|path| path.is_file()));
    let path = |path| {
        Utf8PathBuf::from_path_buf(path)
            .map_err(|path| Error::Machine(format!("{} is not UTF-8", path.display())))
    };
    found.map(path).transpose()
}
