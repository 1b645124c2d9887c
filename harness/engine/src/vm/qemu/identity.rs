//! What makes one QEMU unlike another: a saved state belongs to the binary that wrote it.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

use serde::{Deserialize, Serialize};

use crate::util::error::{Error, Result};

/// The oldest QEMU that the lab uses: `file:` migration came with 8.2, and 7.2 double-faults a
/// 6.12 kernel under TCG with two processors.
pub const OLDEST: (u32, u32) = (8, 2);

/// Version line of `qemu-system-x86_64` and the version itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QemuVersion {
    /// As QEMU prints it, package version included.
    pub line: String,
    /// Major and minor.
    pub number: (u32, u32),
    /// Size and time of the binary and of what it loads from packages of its own.
    pub files: String,
}

/// Asks the installed QEMU.
///
/// # Errors
/// [`Error::Machine`] when it is missing or older than [`OLDEST`], with the next step.
pub fn installed() -> Result<QemuVersion> {
    let output = Command::new(super::machine::QEMU)
        .arg("--version")
        .output()
        .map_err(|error| {
            Error::Machine(format!(
                "{} could not be started: {error}; install qemu-system-x86 (ci/lab does)",
                super::machine::QEMU
            ))
        })?;
    accept(&String::from_utf8_lossy(&output.stdout))
}

fn accept(text: &str) -> Result<QemuVersion> {
    let line = text.lines().next().unwrap_or_default().to_owned();
    let number =
        parse(&line).ok_or_else(|| Error::Machine(format!("QEMU's version is not in `{line}`")))?;
    if number < OLDEST {
        return Err(Error::Machine(format!(
            "QEMU {}.{} is too old: {}.{} or newer is needed (on Debian 12 it is in bookworm-backports; ci/lab installs it)",
            number.0, number.1, OLDEST.0, OLDEST.1
        )));
    }
    Ok(QemuVersion {
        line,
        number,
        files: files(),
    })
}

/// Where QEMU looks for firmware that comes from packages of its own, and for the user network. A QEMU
/// that was installed otherwise names folders of its own, with `-L help`.
const FOLDERS: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/usr/lib/ipxe/qemu",
];

/// What QEMU loads that is upgraded on its own.
const LOADED: [&str; 5] = [
    "libslirp.so.0",
    "bios-256k.bin",
    "linuxboot_dma.bin",
    "kvmvapic.bin",
    "efi-virtio.rom",
];

fn files() -> String {
    let help = Command::new(super::machine::QEMU)
        .args(["-L", "help"])
        .output();
    let own = help.map(|output| output.stdout).unwrap_or_default();
    let own = String::from_utf8_lossy(&own);
    let folders: Vec<&str> = own.lines().map(str::trim).chain(FOLDERS).collect();
    let found = LOADED.iter().filter_map(|name| {
        let mut files = folders.iter().map(|dir| Path::new(dir).join(name));
        files.find_map(|file| described(&file))
    });
    program()
        .and_then(|path| described(&path))
        .into_iter()
        .chain(found)
        .collect::<Vec<_>>()
        .join("\n")
}

/// The file that is started as QEMU.
fn program() -> Option<PathBuf> {
    in_path(&std::env::var_os("PATH")?)
}

fn in_path(path: &OsStr) -> Option<PathBuf> {
    let mut files = std::env::split_paths(path).map(|dir| dir.join(super::machine::QEMU));
    files.find(|file| file.is_file())
}

/// What tells a file from the one that takes its place in an upgrade.
fn described(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    // In a Nix store, where all times are the same, it is the real path that tells.
    let path = path.canonicalize().ok()?;
    let found = path.metadata().ok()?;
    Some(format!(
        "{} {} {}",
        path.display(),
        found.size(),
        found.mtime()
    ))
}

fn parse(line: &str) -> Option<(u32, u32)> {
    let version = line.split_once("version ")?.1;
    let mut numbers = version.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn a_qemu_of_its_own_is_named_by_where_it_really_is() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let (store, bin) = (root.join("store"), root.join("bin"));
        fs_err::create_dir(&store).unwrap();
        fs_err::create_dir(&bin).unwrap();
        assert_eq!(in_path(bin.as_os_str()), None);
        let program = store.join("qemu-1");
        fs_err::write(&program, "").unwrap();
        std::os::unix::fs::symlink(&program, bin.join(super::super::machine::QEMU)).unwrap();
        let found = in_path(bin.as_os_str()).and_then(|path| described(&path));
        assert!(found.unwrap().starts_with(program.to_str().unwrap()));
    }

    #[rstest]
    #[case("QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)", Some((10, 0)))]
    #[case("QEMU emulator version 8.2.2 (Debian 1:8.2.2+ds-0ubuntu1)", Some((8, 2)))]
    #[case("command not found", None)]
    fn versions(#[case] line: &str, #[case] number: Option<(u32, u32)>) {
        assert_eq!(accept(line).ok().map(|version| version.number), number);
    }

    #[test]
    fn a_file_that_takes_anothers_place_is_another_one() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("bios-256k.bin");
        fs_err::write(&file, "one").unwrap();
        let before = described(&file);
        assert_eq!(described(&file), before);
        fs_err::write(&file, "other").unwrap();
        assert_ne!(described(&file), before);
        assert_eq!(described(&dir.path().join("none")), None);
    }

    #[test]
    fn an_old_one_is_refused_by_name() {
        let error = accept("QEMU emulator version 7.2.18 (Debian 1:7.2)").unwrap_err();
        insta::assert_snapshot!(error, @"QEMU 7.2 is too old: 8.2 or newer is needed (on Debian 12 it is in bookworm-backports; ci/lab installs it)");
    }
}
