//! Making sure that what is renamed into place has reached the disk.

use std::fs::File;

use camino::Utf8Path;

use crate::image::error::{Doing as _, ImageError};

/// Writes every file of the flat folder `dir`, and the folder itself, to the disk.
pub(crate) fn tree(dir: &Utf8Path) -> Result<(), ImageError> {
    for entry in dir.read_dir_utf8().doing("read", dir)? {
        let entry = entry.doing("read", dir)?;
        File::open(entry.path())
            .and_then(|file| file.sync_all())
            .doing("write", entry.path())?;
    }
    folder(dir)
}

/// Writes the list of names in `dir` to the disk.
pub(crate) fn folder(dir: &Utf8Path) -> Result<(), ImageError> {
    File::open(dir)
        .and_then(|file| file.sync_all())
        .doing("write", dir)
}
