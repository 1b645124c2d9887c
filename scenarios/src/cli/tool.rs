//! The deploy tool that the user names, looked at before minutes are spent on a VM.

use std::os::unix::fs::PermissionsExt;

use camino::{Utf8Path, Utf8PathBuf};

use super::trouble::Trouble;

/// What a tool is.
pub(super) const HINT: &str =
    "the path of an executable file that is called as TOOL [-v] MACHINE TARGET [CONTAINER]";

/// The absolute path of the executable file `path`.
pub(super) fn checked(path: &Utf8Path) -> Result<Utf8PathBuf, Trouble> {
    let trouble = |why: String| {
        Trouble::usage(format!("tool {path}"), why).hint(format!("--tool takes {HINT}"))
    };
    let meta = path
        .metadata()
        .map_err(|error| trouble(error.to_string()))?;
    if !meta.is_file() {
        return Err(trouble("not a file".into()));
    }
    if meta.permissions().mode() & 0o111 == 0 {
        return Err(trouble("not executable".into()));
    }
    path.canonicalize_utf8()
        .map_err(|error| trouble(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_executable_file_will_do() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let folder = Utf8Path::from_path(folder.path()).expect("UTF-8");
        let tool = folder.join("tool");
        let why = |path: &Utf8Path| checked(path).expect_err("refused").to_string();
        assert!(why(&tool).contains("No such file"));
        assert!(why(folder).contains("not a file"));
        fs_err::write(&tool, "#!/bin/sh\n").expect("written");
        assert!(why(&tool).contains("not executable"));
        fs_err::set_permissions(&tool, PermissionsExt::from_mode(0o755)).expect("set");
        assert!(checked(&tool).is_ok_and(|path| path.is_absolute()));
    }
}
