//! What makes one QEMU unlike another: a saved state belongs to the binary that wrote it.

use std::{ffi::OsStr, path::PathBuf, process::Command};

use crate::error::{Error, Result};

/// The oldest QEMU that the lab uses: `file:` migration came with 8.2, and 7.2 double-faults a
/// 6.12 kernel under TCG with two processors.
pub const OLDEST: (u32, u32) = (8, 2);

/// Version line of `qemu-system-x86_64` and the version itself.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// The user network and the firmware come from other packages, which are upgraded on their own.
const LOADED: [&str; 5] = [
    "/usr/bin/qemu-system-x86_64",
    "/usr/lib/x86_64-linux-gnu/libslirp.so.0",
    "/usr/share/seabios/bios-256k.bin",
    "/usr/share/qemu/linuxboot_dma.bin",
    "/usr/lib/ipxe/qemu/efi-virtio.rom",
];

fn files() -> String {
    use std::os::unix::fs::MetadataExt;
    let own = std::env::var_os("PATH").and_then(|path| elsewhere(&path));
    LOADED
        .into_iter()
        .map(PathBuf::from)
        .chain(own)
        .filter_map(|path| {
            let found = std::fs::metadata(&path).ok()?;
            Some(format!(
                "{} {} {}",
                path.display(),
                found.size(),
                found.mtime()
            ))
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// The QEMU that is started, if it is not the distribution's: of Nix, for one, whose path is the hash
/// of all that went into it.
fn elsewhere(path: &OsStr) -> Option<PathBuf> {
    let found = std::env::split_paths(path)
        .map(|folder| folder.join(super::machine::QEMU))
        .find(|program| program.is_file())?;
    let found = found.canonicalize().ok()?;
    (!LOADED.contains(&found.to_str()?)).then_some(found)
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
        assert_eq!(elsewhere(bin.as_os_str()), None);
        let program = store.join("qemu-1");
        fs_err::write(&program, "").unwrap();
        std::os::unix::fs::symlink(&program, bin.join(super::super::machine::QEMU)).unwrap();
        assert_eq!(elsewhere(bin.as_os_str()), Some(program));
    }

    #[rstest]
    #[case("QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)", Some((10, 0)))]
    #[case("QEMU emulator version 8.2.2 (Debian 1:8.2.2+ds-0ubuntu1)", Some((8, 2)))]
    #[case("command not found", None)]
    fn versions(#[case] line: &str, #[case] number: Option<(u32, u32)>) {
        assert_eq!(accept(line).ok().map(|version| version.number), number);
    }

    #[test]
    fn an_old_one_is_refused_by_name() {
        let error = accept("QEMU emulator version 7.2.18 (Debian 1:7.2)").unwrap_err();
        insta::assert_snapshot!(error, @"QEMU 7.2 is too old: 8.2 or newer is needed (on Debian 12 it is in bookworm-backports; ci/lab installs it)");
    }
}
