//! A tree as Nix archives it: what store paths are hashed as, and what `nix-store --restore` reads.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _},
    path::Path,
};

/// Writes the archive of `tree`: of owners, times and permissions it has who may execute what, and no more.
///
/// # Errors
/// When something cannot be read or written, or is neither file, folder nor symbolic link.
pub(crate) fn write(tree: &Path, to: &mut dyn Write) -> io::Result<()> {
    word(to, b"nix-archive-1")?;
    node(tree, to)
}

fn node(path: &Path, to: &mut dyn Write) -> io::Result<()> {
    let metadata = std::fs::symlink_metadata(path)?;
    words(to, &[b"(", b"type"])?;
    if metadata.is_symlink() {
        let target = std::fs::read_link(path)?;
        words(to, &[b"symlink", b"target", target.as_os_str().as_bytes()])?;
    } else if metadata.is_dir() {
        word(to, b"directory")?;
        let entries = std::fs::read_dir(path)?;
        let mut names = entries
            .map(|entry| Ok(entry?.file_name()))
            .collect::<io::Result<Vec<_>>>()?;
        names.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
        for name in names {
            words(to, &[b"entry", b"(", b"name", name.as_bytes(), b"node"])?;
            node(&path.join(&name), to)?;
            word(to, b")")?;
        }
    } else if metadata.is_file() {
        word(to, b"regular")?;
        if metadata.permissions().mode() & 0o100 != 0 {
            words(to, &[b"executable", b""])?;
        }
        word(to, b"contents")?;
        contents(path, metadata.len(), to)?;
    } else {
        let what = format!("{} is no file, folder or link", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    word(to, b")")
}

fn contents(path: &Path, length: u64, to: &mut dyn Write) -> io::Result<()> {
    to.write_all(&length.to_le_bytes())?;
    let copied = io::copy(&mut File::open(path)?.take(length), to)?;
    if copied != length {
        let what = format!("{} became shorter while it was read", path.display());
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
    }
    pad(to, length)
}

fn words(to: &mut dyn Write, words: &[&[u8]]) -> io::Result<()> {
    words.iter().try_for_each(|text| word(to, text))
}

/// Its length, itself, and zeroes up to a multiple of eight.
fn word(to: &mut dyn Write, text: &[u8]) -> io::Result<()> {
    let length = text.len() as u64;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(text)?;
    pad(to, length)
}

fn pad(to: &mut dyn Write, length: u64) -> io::Result<()> {
    let rest = usize::try_from(length % 8).unwrap_or(0);
    to.write_all(&[0; 8][..(8 - rest) % 8])
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn a_tree_has_the_hash_that_nix_gives_it() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        std::fs::create_dir_all(tree.join("b/empty")).unwrap();
        std::fs::write(tree.join("b/file"), "12345678").unwrap();
        // Sorted by bytes: upper case first, `-` and `.` before letters.
        for name in ["a", "B", "a-b", "a.b", "é"] {
            std::fs::write(tree.join(name), name).unwrap();
        }
        std::fs::write(tree.join("empty"), "").unwrap();
        let run = tree.join("b/run");
        std::fs::write(&run, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(&run, std::fs::Permissions::from_mode(0o700)).unwrap();
        symlink("../a", tree.join("b/link")).unwrap();
        symlink("/nowhere", tree.join("broken")).unwrap();
        let mut archive = Vec::new();
        write(&tree, &mut archive).unwrap();
        // As `nix-hash --type sha256` says of the same tree.
        let hash: String = Sha256::digest(&archive)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            hash,
            "d30ef74b30e2c8a1d7790da7d032723c877a96873af73c133d8ebaa74867c257"
        );
    }

    #[test]
    fn what_is_neither_file_nor_folder_nor_link_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
        let error = write(dir.path(), &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("socket"), "{error}");
        drop(socket);
    }
}
