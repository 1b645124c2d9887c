//! The lab disk: everything that a run injects, on one read-only disk of fixed size.

use std::{os::unix::fs::PermissionsExt, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};
use tokio::process::Command;

use super::platform::LAB_DISK_MIB;
use crate::util::{
    digest,
    error::{Error, Result},
    program,
};

/// How long it may take to make one.
const MKFS: Duration = Duration::from_secs(120);

/// One file of the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabFile {
    /// Its path below `/lab`.
    pub path: Utf8PathBuf,
    /// Whether it can be executed.
    pub executable: bool,
    /// What is in it.
    pub content: Vec<u8>,
}

/// A disk that is ready to be attached.
#[derive(Debug)]
pub struct LabDisk {
    /// Hash of its files: paths, modes and contents.
    pub hash: String,
    /// Its file.
    pub file: Utf8PathBuf,
}

/// The hash that names a disk with `files`, in any order.
#[must_use]
pub fn hash(files: &[LabFile]) -> String {
    let mut sorted: Vec<&LabFile> = files.iter().collect();
    sorted.sort_by(|a, b| a.path.cmp(&b.path));
    digest::of(sorted.into_iter().flat_map(|file| {
        let mode: &[u8] = if file.executable { b"x" } else { b"-" };
        [file.path.as_str().as_bytes(), mode, &file.content]
    }))
}

/// Writes `files` as an ext4 file system into `dir`, which is the caller's to remove.
///
/// # Errors
/// When mke2fs is missing or refuses (too much for the disk's fixed size, as a rule).
pub async fn make(files: &[LabFile], dir: &Utf8Path) -> Result<LabDisk> {
    sized(files, dir, LAB_DISK_MIB).await
}

async fn sized(files: &[LabFile], dir: &Utf8Path, mib: u64) -> Result<LabDisk> {
    let tree = dir.join("tree");
    for file in files {
        let path = tree.join(&file.path);
        if let Some(parent) = path.parent() {
            fs_err::create_dir_all(parent)?;
        }
        fs_err::write(&path, &file.content)?;
        let mode = if file.executable { 0o755 } else { 0o644 };
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(mode))?;
    }
    let file = dir.join("lab.raw");
    let mut command = Command::new("mke2fs");
    command
        .args([
            "-q",
            "-t",
            "ext4",
            "-O",
            "^has_journal",
            "-L",
            "lab",
            "-E",
            "root_owner=0:0",
            "-d",
        ])
        .args([tree.as_str(), file.as_str(), &format!("{mib}M")])
        .env("PATH", program::search_path());
    let output = program::output(&mut command, "", MKFS, "e2fsprogs").await?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(Error::Machine(format!(
            "the lab disk of {mib} MiB could not be made: {}",
            words.trim()
        )));
    }
    fs_err::remove_dir_all(&tree)?;
    Ok(LabDisk {
        hash: hash(files),
        file,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, content: &[u8], executable: bool) -> LabFile {
        LabFile {
            path: path.into(),
            executable,
            content: content.to_vec(),
        }
    }

    #[test]
    fn the_hash_counts_paths_modes_and_contents_but_no_order() {
        let (a, b) = (file("a", b"1", false), file("b", b"2", true));
        let both = hash(&[a.clone(), b.clone()]);
        assert_eq!(both, hash(&[b.clone(), a.clone()]));
        assert_ne!(both, hash(&[a.clone(), file("b", b"2", false)]));
        assert_ne!(both, hash(&[a.clone(), file("b", b"3", true)]));
        assert_ne!(both, hash(&[a, file("c", b"2", true)]));
    }

    #[tokio::test]
    async fn a_disk_has_its_fixed_size_and_no_tree_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        let disk = make(&[file("tool/run", b"#!/bin/sh\n", true)], dir)
            .await
            .unwrap();
        let size = fs_err::metadata(&disk.file).unwrap().len();
        assert_eq!(size, LAB_DISK_MIB << 20);
        assert!(!dir.join("tree").exists());
    }

    #[tokio::test]
    async fn what_does_not_fit_is_refused_with_the_size() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        let much: Vec<u8> = (0..(9_usize << 20))
            .map(|at| (at * 31 % 251) as u8)
            .collect();
        let error = sized(&[file("much", &much, false)], dir, 8).await;
        let error = error.unwrap_err();
        assert!(error.to_string().contains("8 MiB"), "{error}");
    }
}
