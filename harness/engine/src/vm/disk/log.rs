//! The log that QEMU's `blklogwrites` keeps of a disk: each write with its data, each discard and each flush, in the
//! order in which they ended. The format is that of the kernel's dm-log-writes, little-endian.

use std::io::{self, Read, Seek, SeekFrom};

/// What a log begins with.
const MAGIC: u64 = 0x006a_7366_7773_6872;
/// The one version there is.
const VERSION: u64 = 1;
/// Bytes of a sector, as the lab asks QEMU for; the log itself says so only after the first flush.
pub const SECTOR: u64 = 512;
/// Bytes of the beginning, and of an entry, that mean something.
const HEAD: usize = 32;

const FLUSH: u64 = 1;
const FUA: u64 = 2;
const DISCARD: u64 = 4;
const MARK: u64 = 8;

/// What the disk was asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// To write.
    Write {
        /// Where its data begins in the log, in bytes.
        data: u64,
        /// Whether it was to be on the disk at once (FUA), whatever is flushed.
        at_once: bool,
    },
    /// To forget what was there, which then reads as zeroes.
    Discard,
    /// To have on the disk what it had been sent.
    Flush,
    /// Nothing: a note for people.
    Mark,
}

/// One request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Where on the disk, in bytes.
    pub at: u64,
    /// How many bytes.
    pub length: u64,
    /// What was to be done.
    pub request: Request,
}

/// All requests of a machine to a disk, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteLog {
    /// What could be read of them.
    pub entries: Vec<Entry>,
}

/// Why something is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// It begins with something else.
    #[error("this is no log of a disk's writes: it begins with {0:#x}")]
    Magic(u64),
    /// Another version than the one that is known.
    #[error("the log of a disk's writes has version {0}; version {VERSION} is known")]
    Version(u64),
    /// Another size than the lab asks QEMU for.
    #[error("the log of a disk's writes has sectors of {0} bytes instead of {SECTOR}")]
    Sector(u32),
    /// The file can't be read.
    #[error("the log of a disk's writes can't be read: {0}")]
    Io(#[from] io::Error),
}

impl WriteLog {
    /// Reads the log of a machine that may have been killed at any moment: it ends with the file, with an entry that
    /// is cut, or where there is none. The number of entries that it states itself is older than its end.
    ///
    /// # Errors
    /// When `file` is no such log, or can't be read.
    pub fn read(file: &mut (impl Read + Seek)) -> Result<Self, LogError> {
        let end = file.seek(SeekFrom::End(0))?;
        let mut entries = vec![];
        let Some(head) = sector(file, 0, end)? else {
            return Ok(Self { entries });
        };
        // QEMU writes it with the first flush.
        if head != [0; HEAD] {
            judge(&head)?;
        }
        let mut at = SECTOR;
        while let Some(head) = sector(file, at, end)? {
            let Some((entry, next)) = entry(&head, at, end) else {
                break;
            };
            entries.push(entry);
            at = next;
        }
        Ok(Self { entries })
    }

    /// Where a cut finds everything flushed: for each flush, the number of entries up to it and with it, in order.
    pub fn boundaries(&self) -> impl Iterator<Item = usize> + '_ {
        let entries = self.entries.iter().enumerate();
        entries.filter_map(|(index, entry)| (entry.request == Request::Flush).then_some(index + 1))
    }

    /// How many of the first `cut` entries are flushed.
    #[must_use]
    pub fn flushed(&self, cut: usize) -> usize {
        let before = &self.entries[..cut.min(self.entries.len())];
        let flush = before
            .iter()
            .rposition(|entry| entry.request == Request::Flush);
        flush.map_or(0, |index| index + 1)
    }
}

/// Whether a log that begins with `head` can be read.
fn judge(head: &[u8; HEAD]) -> Result<(), LogError> {
    let [magic, version, _, sector] = numbers(head);
    let sector = u32::try_from(sector & u64::from(u32::MAX)).unwrap_or_default();
    if magic != MAGIC {
        Err(LogError::Magic(magic))
    } else if version != VERSION {
        Err(LogError::Version(version))
    } else if u64::from(sector) != SECTOR {
        Err(LogError::Sector(sector))
    } else {
        Ok(())
    }
}

/// The entry with this `head` at `at`, and where the next one is; none if it does not end before `end`.
fn entry(head: &[u8; HEAD], at: u64, end: u64) -> Option<(Entry, u64)> {
    let [sector, sectors, flags, _] = numbers(head);
    if (sector, sectors, flags) == (0, 0, 0) || flags & !(FLUSH | FUA | DISCARD | MARK) != 0 {
        return None;
    }
    let length = sectors.checked_mul(SECTOR)?;
    let place = sector.checked_mul(SECTOR)?;
    place.checked_add(length)?;
    let data = at.checked_add(SECTOR)?;
    let (request, next) = if flags & DISCARD != 0 {
        (Request::Discard, data)
    } else if flags & MARK != 0 {
        (Request::Mark, data.checked_add(length)?)
    } else if flags & FLUSH != 0 && length == 0 {
        (Request::Flush, data)
    } else {
        let at_once = flags & FUA != 0;
        (Request::Write { data, at_once }, data.checked_add(length)?)
    };
    let entry = Entry {
        at: place,
        length,
        request,
    };
    (next <= end).then_some((entry, next))
}

/// The beginning of the sector of `file` at `at`; none if the file ends before the sector does.
fn sector(file: &mut (impl Read + Seek), at: u64, end: u64) -> io::Result<Option<[u8; HEAD]>> {
    if at.checked_add(SECTOR).is_none_or(|next| next > end) {
        return Ok(None);
    }
    let mut head = [0; HEAD];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut head)?;
    Ok(Some(head))
}

fn numbers(head: &[u8; HEAD]) -> [u64; 4] {
    std::array::from_fn(|index| {
        let bytes = std::array::from_fn(|byte| head[index * 8 + byte]);
        u64::from_le_bytes(bytes)
    })
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    /// A log as QEMU writes it: its beginning, and what `requests` add, whose data is filled with their number.
    pub(crate) fn written(requests: &[(u64, u64, u64)]) -> Vec<u8> {
        let mut log = head(&[MAGIC, VERSION, 0, SECTOR]);
        for (number, (sector, sectors, flags)) in requests.iter().enumerate() {
            log.extend(head(&[*sector, *sectors, *flags, 0]));
            if flags & DISCARD == 0 {
                let byte = u8::try_from(number % 255).unwrap() + 1;
                log.resize(log.len() + usize::try_from(sectors * SECTOR).unwrap(), byte);
            }
        }
        log
    }

    fn head(numbers: &[u64; 4]) -> Vec<u8> {
        let mut sector: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        sector.resize(usize::try_from(SECTOR).unwrap(), 0);
        sector
    }

    fn read(log: &[u8]) -> Result<WriteLog, LogError> {
        WriteLog::read(&mut Cursor::new(log))
    }

    const REQUESTS: [(u64, u64, u64); 6] = [
        (8, 2, 0),
        (0, 0, FLUSH),
        (16, 1, FUA),
        (24, 4, DISCARD),
        (0, 0, FLUSH),
        (8, 1, 0),
    ];

    #[test]
    fn every_request_is_read_with_its_place_in_bytes() {
        let log = read(&written(&REQUESTS)).unwrap();
        let write = |data, at_once| Request::Write { data, at_once };
        let requests: Vec<_> = log
            .entries
            .iter()
            .map(|entry| (entry.at, entry.length, entry.request))
            .collect();
        assert_eq!(
            requests,
            [
                (4096, 1024, write(1024, false)),
                (0, 0, Request::Flush),
                (8192, 512, write(3072, true)),
                (12288, 2048, Request::Discard),
                (0, 0, Request::Flush),
                (4096, 512, write(5120, false)),
            ]
        );
        assert_eq!(log.boundaries().collect::<Vec<_>>(), [2, 5]);
    }

    #[rstest]
    #[case(0, 0)]
    #[case(1, 0)]
    #[case(2, 2)]
    #[case(4, 2)]
    #[case(5, 5)]
    #[case(100, 5)]
    fn what_is_flushed_at_a_cut(#[case] cut: usize, #[case] flushed: usize) {
        assert_eq!(read(&written(&REQUESTS)).unwrap().flushed(cut), flushed);
    }

    #[test]
    fn without_a_flush_the_log_does_not_say_what_it_is() {
        let mut log = written(&REQUESTS);
        log[..512].fill(0);
        assert_eq!(read(&log).unwrap().entries.len(), REQUESTS.len());
        assert_eq!(read(&[]).unwrap().entries, []);
    }

    #[rstest]
    #[case(
        0,
        7,
        "this is no log of a disk's writes: it begins with 0x6a7366777368ff"
    )]
    #[case(8, 2, "the log of a disk's writes has version 2; version 1 is known")]
    #[case(
        25,
        0x10,
        "the log of a disk's writes has sectors of 4096 bytes instead of 512"
    )]
    fn what_is_no_log_of_ours_is_refused(#[case] at: usize, #[case] byte: u8, #[case] says: &str) {
        let mut log = written(&REQUESTS);
        log[at] = if at == 0 { 0xff } else { byte };
        let said = read(&log).unwrap_err().to_string();
        assert_eq!(said, says);
    }

    proptest! {
        #[test]
        fn a_log_that_is_cut_anywhere_has_its_first_entries(cut in 512_usize..6000) {
            let (whole, log) = (read(&written(&REQUESTS)).unwrap(), written(&REQUESTS));
            let part = read(&log[..cut.min(log.len())]).unwrap();
            prop_assert!(whole.entries.starts_with(&part.entries));
        }

        #[test]
        fn no_log_makes_the_reader_panic(
            mut log in proptest::collection::vec(any::<u8>(), 0..4096),
            known in any::<bool>(),
        ) {
            if known && log.len() >= 32 {
                log[..32].copy_from_slice(&written(&[])[..32]);
            }
            if let Ok(read) = read(&log) {
                for entry in &read.entries {
                    if let Request::Write { data, .. } = entry.request {
                        prop_assert!(data + entry.length <= log.len() as u64);
                    }
                }
            }
        }

        #[test]
        fn a_flipped_byte_makes_no_panic(at in 0_usize..5632, byte in any::<u8>()) {
            let mut log = written(&REQUESTS);
            log[at] = byte;
            let _ = read(&log).map(|log| log.boundaries().count());
        }
    }
}
