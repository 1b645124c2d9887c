//! The content of a tree as one hash.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read},
    os::unix::ffi::OsStrExt as _,
    path::Path,
    thread,
};

use sha2::{Digest as _, Sha256};

use super::list::{Kind, TreeEntry, unreadable};
use crate::util::digest;

/// The SHA-256 of one file.
pub(super) type FileHash = [u8; 32];

/// The hash of `entries` of `root`: of their paths, kinds, permissions and contents. Every file is read: 53,000 of
/// them take a second or two.
///
/// # Errors
/// A message: what can't be read.
pub(super) fn of(root: &Path, entries: &[TreeEntry]) -> Result<String, String> {
    let threads = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(8);
    // Neighbours are of one kind and size: more parts than threads keep all of them busy.
    let part = entries.len().div_ceil(threads * 8).max(1);
    let parts: Vec<&[TreeEntry]> = entries.chunks(part).collect();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let hashes = thread::scope(|scope| {
        let work = || {
            let mut done = vec![];
            while let Some(part) =
                parts.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
            {
                for entry in *part {
                    done.push((&entry.path, content(root, entry)?));
                }
            }
            Ok::<_, String>(done)
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut all = vec![];
        for worker in workers {
            match worker.join() {
                Ok(done) => all.extend(done?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all.sort();
        Ok::<_, String>(all)
    })?;
    let hashes: Vec<FileHash> = hashes.into_iter().map(|(_, hash)| hash).collect();
    Ok(together(entries, &hashes))
}

/// The hash of a tree, by those of its `entries`, in their order.
pub(super) fn together(entries: &[TreeEntry], hashes: &[FileHash]) -> String {
    let parts = entries.iter().zip(hashes).flat_map(|(entry, hash)| {
        let kind: &[u8] = match &entry.kind {
            Kind::File { executable: false } => b"-",
            Kind::File { executable: true } => b"x",
            Kind::Link(_) => b"l",
        };
        [entry.path.as_slice(), kind, hash.as_slice()]
    });
    digest::of(parts)
}

fn content(root: &Path, entry: &TreeEntry) -> Result<FileHash, String> {
    match &entry.kind {
        Kind::Link(target) => Ok(of_link(target)),
        Kind::File { .. } => {
            let relative = Path::new(OsStr::from_bytes(&entry.path));
            file(&root.join(relative)).map_err(|error| unreadable(relative, &error))
        }
    }
}

pub(super) fn of_link(target: &[u8]) -> FileHash {
    Sha256::digest(target).into()
}

fn file(path: &Path) -> io::Result<FileHash> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = [0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.finalize().into()),
            length => hash.update(&buffer[..length]),
        }
    }
}
