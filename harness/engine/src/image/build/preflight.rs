//! What can be known to fail before minutes are spent on it.

use std::os::unix::fs::MetadataExt as _;

use camino::{Utf8Path, Utf8PathBuf};

use super::workdir::Workdir;
use crate::{
    image::{
        error::{Doing as _, ImageError},
        recipe::ImageKind,
    },
    util::program::find,
};

/// Trees as tar files, the unpacked tree, and the disk, beside the images. Measured: 1,750 MiB at most.
const WORK_MIB: u64 = 2560;
/// For a NixOS host also its nixpkgs, twice, and its store. Measured: 2,800 MiB.
const NIXOS_WORK_MIB: u64 = 5120;
/// mmdebstrap's trees. Measured: 600 MiB.
const SCRATCH_MIB: u64 = 1024;

/// Where Debian's archive keys are, by the age of the package.
const KEYRINGS: &[&str] = &[
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/share/keyrings/debian-archive-keyring.pgp",
];

/// What the later steps need to know about this machine.
#[derive(Debug)]
pub(crate) struct Tools {
    /// mmdebstrap's mode: `root`, or `unshare` for an ordinary user.
    pub(crate) mode: &'static str,
    /// Debian's archive keys.
    pub(crate) keyring: Utf8PathBuf,
}

/// Looks for programs, keys, number ranges and room.
pub(crate) fn check(kind: ImageKind, work: &Workdir) -> Result<Tools, ImageError> {
    if std::env::consts::ARCH != "x86_64" {
        return Err(ImageError::Arch {
            arch: std::env::consts::ARCH,
        });
    }
    let root = rustix::process::geteuid().is_root();
    let missing = missing(root, |program| find(program).is_some());
    let keyring = KEYRINGS
        .iter()
        .map(Utf8PathBuf::from)
        .find(|path| path.is_file());
    let (mut programs, mut packages): (Vec<String>, Vec<String>) = missing.into_iter().unzip();
    let keyring = match keyring {
        Some(keyring) if programs.is_empty() => keyring,
        Some(_) => return Err(ImageError::MissingTools { programs, packages }),
        None => {
            programs.push("Debian's archive keys".to_owned());
            packages.push("debian-archive-keyring".to_owned());
            return Err(ImageError::MissingTools { programs, packages });
        }
    };
    if !root {
        sub_ids()?;
    }
    let (images, scratch) = work.positions();
    let needed = match kind {
        ImageKind::Debian => WORK_MIB,
        ImageKind::Nixos => NIXOS_WORK_MIB,
    };
    room(images, scratch, needed)?;
    Ok(Tools {
        mode: if root { "root" } else { "unshare" },
        keyring,
    })
}

/// Programs that `has` does not know, with the package of each.
fn missing(root: bool, has: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    // mmdebstrap only recommends gpg and uidmap, and fails late and obscurely without them.
    let needed = [
        ("mmdebstrap", "mmdebstrap", true),
        ("gpg", "gpg", true),
        ("mke2fs", "e2fsprogs", true),
        ("newuidmap", "uidmap", !root),
    ];
    needed
        .into_iter()
        .filter(|(program, _, wanted)| *wanted && !has(program))
        .map(|(program, package, _)| (program.to_owned(), package.to_owned()))
        .collect()
}

fn sub_ids() -> Result<(), ImageError> {
    let uid = rustix::process::getuid().as_raw();
    let passwd = std::fs::read_to_string("/etc/passwd").doing("read", "/etc/passwd")?;
    // A user who is not in the file (LDAP) is left to mmdebstrap.
    let Some(user) = user_name(&passwd, uid) else {
        return Ok(());
    };
    for file in ["/etc/subuid", "/etc/subgid"] {
        let ranges = std::fs::read_to_string(file).unwrap_or_default();
        if !has_range(&ranges, user, uid) {
            return Err(ImageError::NoSubIds {
                user: user.to_owned(),
                file,
            });
        }
    }
    Ok(())
}

fn user_name(passwd: &str, uid: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

fn has_range(ranges: &str, user: &str, uid: u32) -> bool {
    ranges
        .lines()
        .filter_map(|line| line.split_once(':'))
        .any(|(owner, _)| owner == user || owner.parse() == Ok(uid))
}

fn room(work: &Utf8Path, scratch: &Utf8Path, work_mib: u64) -> Result<(), ImageError> {
    let device = |path: &Utf8Path| {
        std::fs::metadata(path)
            .doing("read", path)
            .map(|metadata| metadata.dev())
    };
    let free = |path: &Utf8Path| {
        rustix::fs::statvfs(path.as_std_path())
            .doing("read", path)
            .map(|stat| stat.f_bavail.saturating_mul(stat.f_frsize) / (1024 * 1024))
    };
    let together = device(work)? == device(scratch)?;
    let wanted = [
        (
            work,
            if together {
                work_mib + SCRATCH_MIB
            } else {
                work_mib
            },
            "SPAWNLAB_CACHE",
        ),
        (scratch, SCRATCH_MIB, "TMPDIR"),
    ];
    for (dir, needed_mib, variable) in wanted {
        let free_mib = free(dir)?;
        if free_mib < needed_mib {
            return Err(ImageError::NoRoom {
                dir: dir.to_owned(),
                needed_mib,
                free_mib,
                variable,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_user_needs_uidmap() {
        let packages = |root| {
            missing(root, |program| program == "gpg")
                .into_iter()
                .map(|(_, package)| package)
                .collect::<Vec<_>>()
        };
        assert_eq!(packages(true), ["mmdebstrap", "e2fsprogs"]);
        assert_eq!(packages(false), ["mmdebstrap", "e2fsprogs", "uidmap"]);
    }

    #[test]
    fn ranges_go_by_name_or_number() {
        let passwd = "root:x:0:0::/root:/bin/sh\nlab:x:1001:1001::/home/lab:/bin/sh\n";
        assert_eq!(user_name(passwd, 1001), Some("lab"));
        assert_eq!(user_name(passwd, 7), None);
        assert!(has_range("other:1:1\nlab:100000:65536\n", "lab", 1001));
        assert!(has_range("1001:100000:65536\n", "lab", 1001));
        assert!(!has_range("labour:100000:65536\n", "lab", 1001));
    }
}
