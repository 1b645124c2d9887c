//! How many clones this machine carries at once, over all processes of the user.
//!
//! A slot is a locked file: the kernel lets go of it when its holder dies, however that happens. It names
//! its holder, so that others can tell how much of its clones' memory is in use already and how much is
//! only to be expected.

mod holders;
#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io::Write,
    num::NonZeroUsize,
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};
use tokio::time::Instant;

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
/// How often one that waits says so. A shorter wait is nothing to tell of.
const TOLD: Duration = Duration::from_secs(5);

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
        self.take_telling(clones, |_| {}).await
    }

    /// The same, which calls `told` every few seconds as long as other processes hold slots that it waits for, with the
    /// number of VMs and with those who hold them.
    ///
    /// # Errors
    /// Those of [`Self::take`].
    pub async fn take_telling(
        &self,
        clones: NonZeroUsize,
        told: impl Fn(String) + Send + Sync,
    ) -> Result<Slot> {
        let last = Mutex::new(Instant::now());
        let pace = Duration::from_millis(100);
        let next = OnceLock::new();
        let what = match clones.get() {
            1 => "a slot for one more VM".to_owned(),
            many => format!("slots for {many} more VMs"),
        };
        let tell = || {
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            if last.elapsed() >= TOLD {
                if let Some(held) = self.held_by_others() {
                    *last = Instant::now();
                    let vms = if clones.get() == 1 { "VM" } else { "VMs" };
                    told(format!("{clones} {vms}; {held}"));
                }
            }
        };
        poll::until(&what, LIMIT, pace, || async {
            tell();
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

    /// Who else holds slots, if anybody does and it can be seen just now.
    fn held_by_others(&self) -> Option<String> {
        // Whoever counts locks free slots for a moment, and must not be taken for their holder.
        let queue = self.file(QUEUE).ok()?;
        if !granted(&queue).ok()? {
            return None;
        }
        let (_, holders) = self.count(0).ok()?;
        holders::others(&holders)
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
