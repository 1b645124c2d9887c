//! Our own programs that run in a VM: built statically, because hosts have different C libraries.

use std::path::PathBuf;

use camino::Utf8PathBuf;
use spawnlab::{Error, Result};

/// Our deploy tool. `ci/lab` builds it and says where in `SPAWNLAB_OWN_TOOL`; an installed command
/// has it beside itself.
///
/// # Errors
/// When it is nowhere.
pub(crate) fn own_tool() -> Result<Utf8PathBuf> {
    const NAME: &str = "nixos-deploy-container";
    find(NAME, "SPAWNLAB_OWN_TOOL")?.ok_or_else(|| {
        Error::Machine(format!(
            "the deploy tool {NAME} was not found; run ci/lab, which builds it, or name one with --tool"
        ))
    })
}

/// The lab's own agent, found as the tool is, with `SPAWNLAB_AGENT`. Without it qemu-ga serves, slower.
///
/// # Errors
/// When its path is not UTF-8.
pub(crate) fn agent() -> Result<Option<Utf8PathBuf>> {
    find("spawnlab-agent", "SPAWNLAB_AGENT")
}

fn find(name: &str, variable: &str) -> Result<Option<Utf8PathBuf>> {
    let program = std::env::current_exe()?;
    let beside = program.parent().map(|dir| dir.join(name));
    let target = program
        .ancestors()
        .find(|dir| dir.ends_with("target"))
        .map(|dir| dir.join("x86_64-unknown-linux-gnu/release").join(name));
    let found: Option<PathBuf> = std::env::var_os(variable)
        .filter(|value| !value.is_empty())
        .map(Into::into)
        .or_else(|| target.filter(|path| path.is_file()))
        .or_else(|| beside.filter(|path| path.is_file()));
    let path = |path| {
        Utf8PathBuf::from_path_buf(path)
            .map_err(|path| Error::Machine(format!("{} is not UTF-8", path.display())))
    };
    found.map(path).transpose()
}
