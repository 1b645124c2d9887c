//! How many clones this machine carries at once, over all processes of the user.
//!
//! A slot is a locked file: the kernel lets go of it when its holder dies, however that happens. It names
//! its holder, so that others can tell how much of its clones' memory is in use already and how much is
//! only to be expected.

use std::{fs::File, io::Write, num::NonZeroUsize, sync::OnceLock, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use crate::{
    util::{
        error::Result,
        poll::{self, Seen},
    },
    vm::memory::{self, kib},
};

/// What a clone is reckoned with in bytes as long as none was measured: after a deploy, which touches most,
/// it has some 270 MiB of its own. Its file of 2 GiB is shared by all and can be dropped from memory.
pub const CLONE: u64 = 400 << 20;
/// Less than this is no measure of a clone.
const LEAST: u64 = 128 << 20;
/// File name of what was measured.
const MEASURED: &str = "measured";
/// Held while one looks whether there is room, so that two don't take the same room.
const QUEUE: &str = "turn";
/// Held by the one that the next free slot is for. Without it, whoever gives a slot back and asks again at
/// once has it again before a process that waits looks, and a long run keeps all others out to its end.
const NEXT: &str = "next";

/// Longer than any scenario of another process holds its slot.
const LIMIT: Duration = Duration::from_secs(3600);

/// What bounds the clones that run at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// One a processor, all processes together, and as many as there is memory for.
    Machine {
        /// Processors.
        processors: NonZeroUsize,
    },
    /// Somebody knows better. Others count these clones all the same.
    None,
}

/// The slots of this machine.
#[derive(Debug, Clone)]
pub struct Slots {
    dir: Utf8PathBuf,
    bound: Bound,
}

/// The right to run some clones, until it is dropped.
#[derive(Debug)]
pub struct Slot {
    _files: Vec<File>,
}

impl Slots {
    /// Slots below `cache`.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub fn open(cache: &Utf8Path, bound: Bound) -> Result<Self> {
        let dir = cache.join("slots");
        fs_err::create_dir_all(&dir)?;
        Ok(Self { dir, bound })
    }

    /// How many there are at most, however much memory there is.
    #[must_use]
    pub fn most(&self) -> NonZeroUsize {
        match self.bound {
            Bound::Machine { processors } => processors,
            Bound::None => NonZeroUsize::MAX,
        }
    }

    /// Waits for slots for `clones` of them, and takes all at once or none: two labs of several machines never wait
    /// for what the other holds. It is not the order of asking that counts, but one of those who wait comes
    /// before all who ask later.
    ///
    /// # Errors
    /// [`crate::Error::Timeout`] after an hour, or when a file can't be locked.
    pub async fn take(&self, clones: NonZeroUsize) -> Result<Slot> {
        let pace = Duration::from_millis(100);
        let next = OnceLock::new();
        let what = match clones.get() {
            1 => "a slot for one more VM".to_owned(),
            many => format!("slots for {many} more VMs"),
        };
        poll::until(&what, LIMIT, pace, || async {
            if self.bound != Bound::None && next.get().is_none() {
                let file = self.file(NEXT)?;
                if !granted(&file)? {
                    return Ok(Seen::NotYet("others wait, too".into()));
                }
                next.get_or_init(|| file);
            }
            self.look(clones.get())
        })
        .await
    }

    fn look(&self, clones: usize) -> Result<Seen<Slot>> {
        let queue = self.file(QUEUE)?;
        if !granted(&queue)? {
            return Ok(Seen::NotYet("another process is looking".into()));
        }
        let (files, holders) = self.count(clones)?;
        if let Err(why) = self.room(&holders, clones) {
            return Ok(Seen::NotYet(why));
        }
        for file in &files {
            file.set_len(0)?;
            writeln!(&*file, "{}", std::process::id())?;
        }
        Ok(Seen::Ready(Slot { _files: files }))
    }

    /// As many free slots as `wanted`, and who holds the others, as far as they say so.
    fn count(&self, wanted: usize) -> Result<(Vec<File>, Vec<Option<u32>>)> {
        let names = self.dir.read_dir_utf8()?.flatten();
        let numbers = names.filter_map(|entry| entry.file_name().parse::<usize>().ok());
        let end = numbers.max().map_or(0, |last| last + 1);
        let (mut free, mut holders) = (vec![], vec![]);
        for number in 0..end + wanted {
            let name = number.to_string();
            if number >= end && free.len() == wanted {
                break;
            }
            let file = self.file(&name)?;
            if !granted(&file)? {
                let holder = fs_err::read_to_string(self.dir.join(&name)).unwrap_or_default();
                holders.push(holder.trim().parse().ok());
            } else if free.len() < wanted {
                free.push(file);
            }
        }
        if free.len() < wanted {
            return Err(std::io::Error::from(std::io::ErrorKind::ResourceBusy).into());
        }
        Ok((free, holders))
    }

    /// Whether there is room for `clones` more, or why there is none.
    fn room(&self, holders: &[Option<u32>], clones: usize) -> std::result::Result<(), String> {
        let Bound::Machine { processors } = self.bound else {
            return Ok(());
        };
        // A lab that is too large for this machine runs when it is the only one.
        if !holders.is_empty() && holders.len() + clones > processors.get() {
            return Err(format!("{} of {processors} are taken", holders.len()));
        }
        let clone = reckoned(measured(&self.dir));
        let available = memory::available().bytes;
        // Looking at other processes is only worth it where memory may be short.
        let number = (holders.len(), clones);
        if fits(clone, available, number, &[]) || fits(clone, available, number, &used(holders)) {
            return Ok(());
        }
        Err(format!(
            "{} run, and there is no memory for {clones} more of {} MiB: {} MiB are left",
            holders.len(),
            clone >> 20,
            available >> 20
        ))
    }

    fn file(&self, name: &str) -> Result<File> {
        let file = fs_err::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.dir.join(name))?;
        Ok(file.into_parts().0)
    }
}

fn granted(file: &File) -> Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(std::io::Error::from(error).into()),
    }
}

/// Whether `more` clones of `clone` bytes fit beside `running` ones, which have `used` so much each by now and
/// may still use the rest; `available` is what all others leave. One lab always runs.
fn fits(clone: u64, available: u64, (running, more): (usize, usize), used: &[u64]) -> bool {
    if running == 0 {
        return true;
    }
    let all = clone.saturating_mul((running + more) as u64);
    // Who uses more than was reckoned leaves no more to the others for it.
    let used: u64 = used.iter().map(|used| *used.min(&clone)).sum();
    available.saturating_add(used) >= all
}

/// What a clone is reckoned with that was measured at `measured`: some more, since it is the next one that counts.
fn reckoned(measured: Option<u64>) -> u64 {
    measured.map_or(CLONE, |bytes| (bytes + bytes / 4).max(LEAST))
}

fn measured(dir: &Utf8Path) -> Option<u64> {
    let text = fs_err::read_to_string(dir.join(MEASURED)).ok()?;
    text.trim().parse().ok()
}

/// Notes below `cache` how much memory of its own the QEMU `pid` has at the end of its clone's life. The
/// figure follows the large ones at once and the small ones slowly.
pub(crate) fn note(cache: &Utf8Path, pid: u32) {
    let dir = cache.join("slots");
    let Some(bytes) = private(pid).filter(|_| dir.is_dir()) else {
        return;
    };
    let next = match measured(&dir) {
        Some(known) if known > bytes => known - (known - bytes) / 32,
        _ => bytes,
    };
    // Another process may write at the same time: either figure is right.
    if let Ok(file) = tempfile::NamedTempFile::new_in(&dir) {
        if writeln!(&file, "{next}").is_ok() {
            let _ = file.persist(dir.join(MEASURED));
        }
    }
}

/// What the QEMUs of `holders` have of their own by now, one by one.
fn used(holders: &[Option<u32>]) -> Vec<u64> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let theirs = pids.filter(|pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        parent(&stat).is_some_and(|parent| holders.contains(&Some(parent)))
    });
    theirs.filter_map(private).collect()
}

/// The parent that a `/proc/PID/stat` names.
fn parent(stat: &str) -> Option<u32> {
    fields(stat)?.nth(1)?.parse().ok()
}

/// The fields of a `/proc/PID/stat` behind the program's name, which may hold anything.
pub(crate) fn fields(stat: &str) -> Option<impl Iterator<Item = &str>> {
    let (_, behind) = stat.rsplit_once(')')?;
    Some(behind.split_whitespace())
}

/// Memory of its own that the process `pid` has, in bytes, with what was swapped out.
fn private(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| kib(&status, name);
    Some(field("RssAnon:")? + field("VmSwap:").unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(count: usize) -> Bound {
        Bound::Machine {
            processors: NonZeroUsize::new(count).unwrap(),
        }
    }

    /// Slots in one folder, with files of their own as those of two processes have.
    fn two(bounds: [Bound; 2]) -> (tempfile::TempDir, [Slots; 2]) {
        let dir = tempfile::tempdir().unwrap();
        let cache = Utf8Path::from_path(dir.path()).unwrap();
        let slots = bounds.map(|bound| Slots::open(cache, bound).unwrap());
        (dir, slots)
    }

    const MIB: u64 = 1 << 20;

    #[rstest::rstest]
    #[case::one_always_runs(1, 0, &[], true)]
    #[case::memory_for_all(1200, 2, &[], true)]
    #[case::the_others_may_still_use_theirs(1199, 2, &[], false)]
    #[case::what_they_use_is_gone_already(700, 2, &[300, 250], true)]
    #[case::what_they_use_is_not_enough(600, 2, &[300, 250], false)]
    #[case::who_uses_too_much_makes_no_room(300, 2, &[900, 100], false)]
    fn as_many_as_fit(
        #[case] available: u64,
        #[case] running: usize,
        #[case] used: &[u64],
        #[case] fit: bool,
    ) {
        let used: Vec<u64> = used.iter().map(|mib| mib * MIB).collect();
        assert_eq!(fits(400 * MIB, available * MIB, (running, 1), &used), fit);
    }

    #[test]
    fn a_clone_is_reckoned_with_what_was_measured() {
        let guard = tempfile::tempdir().unwrap();
        let cache = Utf8Path::from_path(guard.path()).unwrap();
        Slots::open(cache, Bound::None).unwrap();
        let dir = cache.join("slots");
        assert_eq!(reckoned(measured(&dir)), CLONE);
        note(cache, std::process::id());
        let own = measured(&dir).unwrap();
        assert!(own > 0 && own < 2 << 30, "{own} bytes");
        assert_eq!(reckoned(Some(own)), (own + own / 4).max(LEAST));
        fs_err::write(dir.join(MEASURED), (32 * own).to_string()).unwrap();
        note(cache, std::process::id());
        let slowly = measured(&dir).unwrap();
        assert!(slowly < 32 * own && slowly > 30 * own, "{slowly}");
        assert_eq!(fs_err::read_dir(&dir).unwrap().count(), 1);
    }

    #[test]
    fn what_the_kernel_says_is_read() {
        assert_eq!(parent("12 (a) b (c) S 34 12 12"), Some(34));
        let own = std::fs::read_to_string("/proc/self/stat").unwrap();
        assert_eq!(parent(&own), Some(std::os::unix::process::parent_id()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slot_is_free_again_when_its_holder_is_gone() {
        let (_dir, [ours, theirs]) = two([some(2), some(2)]);
        let first = ours.take(NonZeroUsize::MIN).await.unwrap();
        let _second = theirs.take(NonZeroUsize::MIN).await.unwrap();
        let soon = Duration::from_secs(10);
        assert!(
            tokio::time::timeout(soon, ours.take(NonZeroUsize::MIN))
                .await
                .is_err()
        );
        drop(first);
        theirs.take(NonZeroUsize::MIN).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_lab_takes_all_of_its_slots_or_none() {
        let (_dir, [ours, theirs]) = two([some(3), some(3)]);
        let count = |count| NonZeroUsize::new(count).unwrap();
        let pair = ours.take(count(2)).await.unwrap();
        let soon = Duration::from_secs(10);
        let second = tokio::time::timeout(soon, theirs.take(count(2))).await;
        assert!(second.is_err(), "one is free, and two are needed");
        let one = ours.take(count(1)).await.unwrap();
        drop(pair);
        let second = theirs.take(count(2)).await.unwrap();
        drop((one, second));
        // More than this machine carries: by itself.
        let large = ours.take(count(5)).await.unwrap();
        assert!(
            tokio::time::timeout(soon, theirs.take(count(1)))
                .await
                .is_err()
        );
        drop(large);
        theirs.take(count(1)).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_comes_before_who_has_just_had_one() {
        let (_dir, [busy, patient]) = two([some(1), some(1)]);
        let held = busy.take(NonZeroUsize::MIN).await.unwrap();
        let waits = tokio::spawn(async move { patient.take(NonZeroUsize::MIN).await.unwrap() });
        tokio::time::sleep(Duration::from_secs(1)).await;
        drop(held);
        // Asked for before the other one looks again.
        let soon = Duration::from_secs(10);
        assert!(
            tokio::time::timeout(soon, busy.take(NonZeroUsize::MIN))
                .await
                .is_err()
        );
        drop(waits.await.unwrap());
        busy.take(NonZeroUsize::MIN).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_not_bound_is_counted_nevertheless() {
        let (_dir, [bound, free]) = two([some(2), Bound::None]);
        let mut held = vec![bound.take(NonZeroUsize::MIN).await.unwrap()];
        for _ in 0..3 {
            held.push(free.take(NonZeroUsize::MIN).await.unwrap());
        }
        let soon = Duration::from_secs(10);
        assert!(
            tokio::time::timeout(soon, bound.take(NonZeroUsize::MIN))
                .await
                .is_err()
        );
        held.truncate(1);
        bound.take(NonZeroUsize::MIN).await.unwrap();
    }
}
