//! The disk that a machine finds after a power cut, as a file.

use std::io::{self, Read, Seek, SeekFrom, Write};

use camino::{Utf8Path, Utf8PathBuf};

use super::loss::Patch;

/// How many bytes are copied at a time: a discard may be of the whole disk.
const PART: u64 = 1 << 20;

/// Writes `patches`, whose data is in `log`, to `disk`, in their order.
///
/// # Errors
/// When one of the files can't be read or written.
pub fn apply(
    patches: &[Patch],
    log: &mut (impl Read + Seek),
    disk: &mut (impl Write + Seek),
) -> io::Result<()> {
    let mut buffer = vec![];
    for patch in patches {
        disk.seek(SeekFrom::Start(patch.at))?;
        if let Some(place) = patch.data {
            log.seek(SeekFrom::Start(place))?;
        }
        let mut left = patch.length;
        while left > 0 {
            let part = left.min(PART);
            buffer.resize(usize::try_from(part).unwrap_or(usize::MAX), 0);
            match patch.data {
                Some(_) => log.read_exact(&mut buffer)?,
                None => buffer.fill(0),
            }
            disk.write_all(&buffer)?;
            left -= part;
        }
    }
    disk.flush()
}

/// What was in the places of `patches` on a disk, to be put back.
#[derive(Debug)]
pub struct Before(Vec<(u64, Vec<u8>)>);

impl Before {
    /// Reads it.
    ///
    /// # Errors
    /// When `disk` can't be read.
    pub fn read(patches: &[Patch], disk: &mut (impl Read + Seek)) -> io::Result<Self> {
        let mut parts = vec![];
        for patch in patches {
            let mut part = vec![0; usize::try_from(patch.length).unwrap_or(usize::MAX)];
            disk.seek(SeekFrom::Start(patch.at))?;
            disk.read_exact(&mut part)?;
            parts.push((patch.at, part));
        }
        Ok(Self(parts))
    }

    /// Writes it again.
    ///
    /// # Errors
    /// When `disk` can't be written.
    pub fn restore(&self, disk: &mut (impl Write + Seek)) -> io::Result<()> {
        for (at, part) in &self.0 {
            disk.seek(SeekFrom::Start(*at))?;
            disk.write_all(part)?;
        }
        disk.flush()
    }
}

/// Where QEMU keeps the log of the writes to the disk `file`.
#[must_use]
pub fn log_of(file: &Utf8Path) -> Utf8PathBuf {
    Utf8PathBuf::from(format!("{file}.log"))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::vm::disk::{
        log::{WriteLog, tests::written},
        loss::Loss,
    };

    #[test]
    fn a_disk_has_what_was_written_last_and_can_be_put_back() {
        let log = written(&[(8, 8, 0), (0, 0, 1), (9, 1, 0), (10, 1, 4)]);
        let read = WriteLog::read(&mut Cursor::new(&log)).unwrap();
        let patches = read.after_power_cut(4, Loss::None);
        let mut disk = Cursor::new(vec![0xee; 16384]);
        let before = Before::read(&patches, &mut disk).unwrap();
        apply(&patches, &mut Cursor::new(&log), &mut disk).unwrap();
        let sectors: Vec<u8> = disk.get_ref().chunks(512).map(|sector| sector[0]).collect();
        assert_eq!(sectors[7..17], [0xee, 1, 3, 0, 1, 1, 1, 1, 1, 0xee]);
        before.restore(&mut disk).unwrap();
        assert_eq!(disk.get_ref(), &vec![0xee; 16384]);
    }
}
