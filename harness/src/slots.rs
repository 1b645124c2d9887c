//! How many clones this machine carries at once, over all processes of the user.
//!
//! A slot is a locked file: the kernel lets go of it when its holder dies, however that happens.

use std::{fs::File, num::NonZeroUsize, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use crate::{
    error::Result,
    poll::{self, Seen},
};

/// What a clone is reckoned with, in bytes. Measured after a deploy, which touches most: some 270 MiB of
/// its own memory. Its file of 2 GiB is shared by all and can be dropped from memory.
pub const CLONE: u64 = 400 << 20;

/// Longer than any scenario of another process holds its slot.
const LIMIT: Duration = Duration::from_secs(3600);

/// The slots of this machine.
#[derive(Debug, Clone)]
pub struct Slots {
    dir: Utf8PathBuf,
    count: NonZeroUsize,
}

/// The right to run one clone, until it is dropped.
#[derive(Debug)]
pub struct Slot {
    _file: File,
}

impl Slots {
    /// `count` slots below `cache`.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub fn open(cache: &Utf8Path, count: NonZeroUsize) -> Result<Self> {
        let dir = cache.join("slots");
        fs_err::create_dir_all(&dir)?;
        Ok(Self { dir, count })
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> NonZeroUsize {
        self.count
    }

    /// Waits for a free slot; they are not handed out in the order of asking.
    ///
    /// # Errors
    /// [`crate::Error::Timeout`] after an hour, or when a file can't be locked.
    pub async fn take(&self) -> Result<Slot> {
        let pace = Duration::from_millis(100);
        poll::until("a slot for one more VM", LIMIT, pace, || async {
            self.look()
        })
        .await
    }

    fn look(&self) -> Result<Seen<Slot>> {
        for number in 0..self.count.get() {
            let file = fs_err::OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(self.dir.join(number.to_string()))?
                .into_parts()
                .0;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Seen::Ready(Slot { _file: file })),
                Err(Errno::WOULDBLOCK) => {}
                Err(error) => return Err(std::io::Error::from(error).into()),
            }
        }
        Ok(Seen::NotYet(format!("all {} are taken", self.count)))
    }
}

/// How many clones fit: one a processor, and no more than `available` bytes of memory hold.
#[must_use]
pub fn fitting(processors: NonZeroUsize, available: u64) -> NonZeroUsize {
    let by_memory = usize::try_from(available / CLONE).unwrap_or(usize::MAX);
    NonZeroUsize::new(by_memory.min(processors.get())).unwrap_or(NonZeroUsize::MIN)
}

/// Bytes that can be had without swapping, as the kernel estimates them; everything if it does not say.
#[must_use]
pub fn available_memory() -> u64 {
    std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| available(&text))
        .unwrap_or(u64::MAX)
}

fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(count: usize) -> NonZeroUsize {
        NonZeroUsize::new(count).unwrap()
    }

    #[rstest::rstest]
    #[case::processors_bound_it(2, 64 << 30, 2)]
    #[case::memory_bounds_it(16, 1 << 30, 2)]
    #[case::one_always_runs(16, 1 << 20, 1)]
    fn as_many_as_fit(#[case] processors: usize, #[case] bytes: u64, #[case] expected: usize) {
        assert_eq!(fitting(some(processors), bytes).get(), expected);
    }

    #[test]
    fn the_kernels_estimate_is_read() {
        let text = "MemTotal:       24000 kB\nMemFree: 1 kB\nMemAvailable:   12000 kB\n";
        assert_eq!(available(text), Some(12_000 << 10));
        assert_eq!(available("MemTotal: 1 kB\n"), None);
        assert!(available_memory() > 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slot_is_free_again_when_its_holder_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        // As another process would: with files of its own.
        let (ours, theirs) = (
            Slots::open(dir, some(2)).unwrap(),
            Slots::open(dir, some(2)).unwrap(),
        );
        let first = ours.take().await.unwrap();
        let _second = theirs.take().await.unwrap();
        let soon = Duration::from_secs(10);
        assert!(tokio::time::timeout(soon, ours.take()).await.is_err());
        drop(first);
        theirs.take().await.unwrap();
    }
}
