//! What is in a tree of files: in a git work tree what git would not ignore, in a plain folder everything.

use std::{
    ffi::OsStr,
    fs::Metadata,
    io,
    os::unix::{
        ffi::{OsStrExt as _, OsStringExt as _},
        fs::MetadataExt as _,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// One entry of a tree; folders are not entries.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TreeEntry {
    /// Relative to the tree, in the bytes of the file system.
    pub(super) path: Vec<u8>,
    pub(super) kind: Kind,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A file, and whether its owner may execute it: no other permission is part of a tree.
    File { executable: bool },
    /// A symbolic link and its target.
    Link(Vec<u8>),
}

/// The entries of a tree, and what git knows of them.
#[derive(Debug)]
pub(super) struct TreeListing {
    /// In the order of their paths.
    pub(super) entries: Vec<TreeEntry>,
    /// The commit and whether the work tree departs from it; none outside a git work tree.
    pub(super) commit: Option<(String, bool)>,
}

/// Lists `root`, which is a folder.
///
/// # Errors
/// A message: what can't be read, or does not belong into a tree.
pub(super) fn list(root: &Path) -> Result<TreeListing, String> {
    let mut entries = vec![];
    if !root.join(".git").exists() {
        visit(root, Path::new(""), &mut entries)?;
        entries.sort();
        return Ok(TreeListing {
            entries,
            commit: None,
        });
    }
    let names = git(
        root,
        &[
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ],
    )?;
    let mut gone = false;
    for name in names
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
    {
        // What is a repository of its own has a slash behind its name.
        let relative = Path::new(OsStr::from_bytes(name.strip_suffix(b"/").unwrap_or(name)));
        match std::fs::symlink_metadata(root.join(relative)) {
            Ok(meta) => add(root, relative, &meta, &mut entries)?,
            // Git knows it, and the work tree lacks it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => gone = true,
            Err(error) => return Err(unreadable(relative, &error)),
        }
    }
    entries.sort();
    // A file with a conflict is listed once for each of its versions.
    entries.dedup();
    // A repository without a commit has files all the same.
    let head = git(root, &["rev-parse", "--verify", "--quiet", "HEAD"]).unwrap_or_default();
    let head = String::from_utf8_lossy(&head).trim().to_owned();
    let commit = if head.is_empty() {
        None
    } else {
        let dirty = gone || !git(root, &["status", "--porcelain", "-z"])?.is_empty();
        Some((head, dirty))
    };
    Ok(TreeListing { entries, commit })
}

fn git(root: &Path, args: &[&str]) -> Result<Vec<u8>, String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(args)
        // The tree is the user's: no index is refreshed there.
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("LC_ALL", "C")
        // A hook of git's would have them say another repository.
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                "it is a git work tree, and there is no command git here; `apt-get install git`"
                    .to_owned()
            }
            _ => format!("git could not be started: {error}"),
        })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("git {} failed: {}", args[0], said.trim()))
}

fn visit(root: &Path, folder: &Path, entries: &mut Vec<TreeEntry>) -> Result<(), String> {
    let unread = |error: io::Error| unreadable(folder, &error);
    for entry in std::fs::read_dir(root.join(folder)).map_err(unread)? {
        let entry = entry.map_err(unread)?;
        if entry.file_name() == ".git" {
            continue;
        }
        let relative = folder.join(entry.file_name());
        let meta = entry
            .metadata()
            .map_err(|error| unreadable(&relative, &error))?;
        add(root, &relative, &meta, entries)?;
    }
    Ok(())
}

fn add(
    root: &Path,
    relative: &Path,
    meta: &Metadata,
    entries: &mut Vec<TreeEntry>,
) -> Result<(), String> {
    let kind = if meta.is_dir() {
        return visit(root, relative, entries);
    } else if meta.is_file() {
        Kind::File {
            executable: meta.mode() & 0o100 != 0,
        }
    } else if meta.is_symlink() {
        let target = std::fs::read_link(root.join(relative))
            .map_err(|error| unreadable(relative, &error))?;
        if leaves(relative, &target) {
            return Err(format!(
                "its link {} leads out of the tree, to {}",
                relative.display(),
                target.display()
            ));
        }
        Kind::Link(target.into_os_string().into_vec())
    } else {
        return Err(format!(
            "{} is neither a file, a folder nor a link (a socket, a pipe or a device)",
            relative.display()
        ));
    };
    entries.push(TreeEntry {
        path: PathBuf::from(relative).into_os_string().into_vec(),
        kind,
    });
    Ok(())
}

/// Whether a link at `relative` names something outside the tree, by its words alone.
fn leaves(relative: &Path, target: &Path) -> bool {
    use std::path::Component::{Normal, ParentDir, Prefix, RootDir};
    let mut depth = relative.components().count() - 1;
    for part in target.components() {
        match part {
            RootDir | Prefix(_) => return true,
            ParentDir if depth == 0 => return true,
            ParentDir => depth -= 1,
            Normal(_) => depth += 1,
            std::path::Component::CurDir => {}
        }
    }
    false
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> String {
    let name = match path.as_os_str().is_empty() {
        true => "it".to_owned(),
        false => path.display().to_string(),
    };
    format!("{name} can't be read: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("a", "b", false)]
    #[case("a", "../b", true)]
    #[case("x/a", "../b", false)]
    #[case("x/a", "../../b", true)]
    #[case("x/y/a", "../z/../../b/..", false)]
    #[case("x/a", "..", false)]
    #[case("a", "/nix/store", true)]
    fn links_that_leave(#[case] path: &str, #[case] target: &str, #[case] out: bool) {
        assert_eq!(leaves(Path::new(path), Path::new(target)), out);
    }
}
