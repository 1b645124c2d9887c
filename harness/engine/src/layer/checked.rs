//! Contents of a layer's files against the checksums in its record.
//!
//! Reading some 300 MB takes a moment, so a file that was found right is remembered by its inode, the
//! time of its last change and its size (`KEY.checked`, beside the lock), and not read again as long as
//! these stay the same. Nothing writes to a file, or replaces it, without changing one of them.

use std::{
    collections::BTreeMap,
    fs::{File, Metadata},
    io::{self, Read},
    os::unix::fs::MetadataExt,
};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{SeekFrom, seek};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::record::LayerRecord;
use crate::util::{
    digest,
    error::{Error, Result},
};

/// What tells one state of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    inode: u64,
    changed: (i64, i64),
    size: u64,
}

/// Checks the contents of the files of `record`, which are in `dir`; `memo` remembers.
///
/// # Errors
/// Names the file that is not what it was when the layer was saved.
pub(super) fn contents(dir: &Utf8Path, record: &LayerRecord, memo: &Utf8Path) -> Result<Checked> {
    let known = remembered(memo);
    let mut stamps = BTreeMap::new();
    for (name, _, sum) in &record.files {
        let file = fs_err::File::open(dir.join(name))?.into_parts().0;
        let stamp = stamp(&file)?;
        if known.get(name) != Some(&stamp) && self::sum(&file)? != *sum {
            let _ = fs_err::remove_file(memo);
            return Err(Error::Layer {
                name: record.key.short().to_owned(),
                why: format!("{name} is not what was saved: its checksum differs"),
            });
        }
        stamps.insert(name.clone(), stamp);
    }
    if stamps != known {
        // Only costs time when it is lost.
        let text = serde_json::to_vec(&stamps).unwrap_or_default();
        let _ = fs_err::write(memo, text);
    }
    Ok(Checked {
        dir: dir.to_owned(),
        stamps,
    })
}

/// Files that were found right, and what tells whether they still are the same.
#[derive(Debug)]
pub(super) struct Checked {
    dir: Utf8PathBuf,
    stamps: BTreeMap<String, Stamp>,
}

impl Checked {
    /// Whether nobody has touched, replaced or removed one of them since.
    pub(super) fn holds(&self) -> bool {
        let same = |(name, stamp): (&String, &Stamp)| {
            std::fs::metadata(self.dir.join(name)).is_ok_and(|meta| Stamp::of(&meta) == *stamp)
        };
        self.stamps.iter().all(same)
    }

    /// Opens one of them; what was opened is what was checked.
    ///
    /// # Errors
    /// When it is gone or is another one by now.
    pub(super) fn open(&self, name: &str) -> Result<File> {
        let file = fs_err::File::open(self.dir.join(name))?.into_parts().0;
        if self.stamps.get(name) != Some(&stamp(&file)?) {
            return Err(Error::Layer {
                name: self.dir.file_name().unwrap_or_default().to_owned(),
                why: format!("{name} was changed since it was checked"),
            });
        }
        Ok(file)
    }
}

fn remembered(memo: &Utf8Path) -> BTreeMap<String, Stamp> {
    let text = std::fs::read(memo).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

impl Stamp {
    fn of(meta: &Metadata) -> Self {
        Self {
            inode: meta.ino(),
            changed: (meta.ctime(), meta.ctime_nsec()),
            size: meta.size(),
        }
    }
}

fn stamp(file: &File) -> io::Result<Stamp> {
    Ok(Stamp::of(&file.metadata()?))
}

/// The checksum of `file`: of every stretch of data with its place, and of the length. Holes are
/// skipped, which makes 300 MB of a memory file's 2 GiB; which zeroes are holes is up to the file
/// system, so blocks of nothing but zeroes do not count either.
///
/// # Errors
/// When it can't be read.
pub(super) fn sum(file: &File) -> io::Result<String> {
    const BLOCK: usize = 4096;
    let length = file.metadata()?.len();
    let mut hash = Sha256::new();
    hash.update(length.to_le_bytes());
    let mut buffer = vec![0; 256 * BLOCK];
    let mut at = 0;
    while at < length {
        // ENXIO: nothing but a hole is left.
        let Ok(data) = seek(file, SeekFrom::Data(at)) else {
            break;
        };
        let end = seek(file, SeekFrom::Hole(data))?;
        // Blocks are counted from the file's beginning, wherever the data begins.
        at = data - data % BLOCK as u64;
        seek(file, SeekFrom::Start(at))?;
        while at < end {
            let wanted = buffer
                .len()
                .min(usize::try_from(length - at).unwrap_or(usize::MAX));
            let (mut file, chunk) = (file, &mut buffer[..wanted]);
            file.read_exact(chunk)?;
            for block in chunk.chunks(BLOCK) {
                if block.iter().any(|byte| *byte != 0) {
                    hash.update(at.to_le_bytes());
                    hash.update(block);
                }
                at += block.len() as u64;
            }
        }
    }
    Ok(digest::hex(&hash.finalize()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::{super::record::RAM, *};
    use crate::layer::{
        key::Key,
        record::{DISK, STATE},
    };

    const MIB: u64 = 1 << 20;

    struct Saved {
        _guard: tempfile::TempDir,
        dir: Utf8PathBuf,
        memo: Utf8PathBuf,
        record: LayerRecord,
    }

    fn saved() -> Saved {
        let guard = tempfile::tempdir().unwrap();
        let dir = Utf8PathBuf::from_path_buf(guard.path().to_owned()).unwrap();
        let ram = File::create(dir.join(RAM)).unwrap();
        ram.set_len(64 * MIB).unwrap();
        ram.write_all_at(&[7; 9000], 5 * MIB + 100).unwrap();
        fs_err::write(dir.join(STATE), "state").unwrap();
        fs_err::write(dir.join(DISK), "disk").unwrap();
        let key = Key::root([("a", "b")]);
        let record = LayerRecord::of(&dir, "booted", &key, None, &[], 1).unwrap();
        let memo = dir.join("memo");
        Saved {
            _guard: guard,
            dir,
            memo,
            record,
        }
    }

    impl Saved {
        fn check(&self) -> Result<Checked> {
            contents(&self.dir, &self.record, &self.memo)
        }

        /// Writes a byte and sets the times back, as a careless or a broken disk would.
        fn flip(&self, name: &str, at: u64) {
            let file = File::options()
                .write(true)
                .open(self.dir.join(name))
                .unwrap();
            let before = file.metadata().unwrap().modified().unwrap();
            file.write_all_at(b"!", at).unwrap();
            file.set_modified(before).unwrap();
        }
    }

    #[test]
    fn what_was_saved_is_right_and_remembered() {
        let saved = saved();
        saved.check().unwrap();
        assert_eq!(remembered(&saved.memo).len(), 3);
        saved.check().unwrap();
    }

    #[rstest::rstest]
    #[case::in_the_data(RAM, 5 * MIB + 200)]
    #[case::in_a_hole(RAM, 40 * MIB)]
    #[case::in_the_state(STATE, 2)]
    #[case::in_the_disk(DISK, 0)]
    fn a_flipped_byte_is_found_also_when_it_was_right_before(#[case] name: &str, #[case] at: u64) {
        let saved = saved();
        saved.check().unwrap();
        saved.flip(name, at);
        let error = saved.check().unwrap_err();
        assert!(
            error
                .to_string()
                .contains(&format!("{name} is not what was saved")),
            "{error}"
        );
        saved.check().unwrap_err();
    }

    #[test]
    fn what_is_changed_or_removed_later_is_noticed() {
        let saved = saved();
        let checked = saved.check().unwrap();
        assert!(checked.holds());
        checked.open(RAM).unwrap();
        // A copy in its place is another file, which nobody has checked.
        fs_err::copy(saved.dir.join(STATE), saved.dir.join("copy")).unwrap();
        fs_err::rename(saved.dir.join("copy"), saved.dir.join(STATE)).unwrap();
        assert!(!checked.holds());
        let error = checked.open(STATE).unwrap_err().to_string();
        assert!(error.contains("changed since it was checked"), "{error}");
        let checked = saved.check().unwrap();
        fs_err::remove_file(saved.dir.join(DISK)).unwrap();
        assert!(!checked.holds());
    }

    #[test]
    fn a_copy_with_other_holes_has_the_same_sum() {
        let saved = saved();
        let dense = saved.dir.join("dense");
        fs_err::write(&dense, fs_err::read(saved.dir.join(RAM)).unwrap()).unwrap();
        let sum_of = |path: &Utf8Path| sum(&File::open(path).unwrap()).unwrap();
        assert_eq!(sum_of(&dense), sum_of(&saved.dir.join(RAM)));
    }

    #[test]
    fn a_memo_that_is_damaged_is_worth_nothing() {
        let saved = saved();
        fs_err::write(&saved.memo, "{").unwrap();
        saved.check().unwrap();
        assert_eq!(remembered(&saved.memo).len(), 3);
    }
}
