//! File locks between processes: the kernel releases them when their holder dies.
//!
//! A lock belongs to a file and not to a name. Whoever got one looks whether the file still has its
//! name: somebody may have removed the cache, and then the next one would lock another file.

use std::{fs::File, os::unix::fs::MetadataExt, time::Duration};

use camino::Utf8Path;
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use crate::util::{
    error::{Error, Result},
    poll::{self, Seen},
};

/// Guards the removal of lock files that cannot be had. It is never removed itself.
const REMOVALS: &str = ".removals";

/// A held lock; dropping it lets go.
#[derive(Debug)]
pub struct Lock(File);

/// What [`Lock::usable_or_exclusive`] got.
#[derive(Debug)]
pub enum Right {
    /// It is usable, and stays so as long as the lock is held; others use it, too.
    Usable(Lock),
    /// It was not usable a moment ago; nobody else builds it.
    ToBuild(Lock),
}

impl Lock {
    /// Waits for `path` until what it guards is `usable`, or until there is the sole right to make
    /// it so; calls `waiting` once if neither can be had at once. Those who only use it share it,
    /// so that any number of runs go on at the same time.
    ///
    /// Those who use what is not usable any more (its files were damaged under them) are not waited
    /// for: they keep what they have, and the lock gets a new file.
    ///
    /// # Errors
    /// [`Error::Timeout`] after `limit`, or when the file can't be opened.
    pub async fn usable_or_exclusive(
        path: &Utf8Path,
        limit: Duration,
        usable: impl Fn() -> bool,
        mut waiting: impl FnMut(),
    ) -> Result<Right> {
        let mut told = false;
        poll::until(
            &format!("the lock {path}"),
            limit,
            Duration::from_millis(100),
            || {
                let right = look(path, &usable);
                if matches!(right, Ok(Seen::NotYet(_))) && !std::mem::replace(&mut told, true) {
                    waiting();
                }
                std::future::ready(right)
            },
        )
        .await
    }

    /// Waits for the sole right to `path`, which nobody shares: each of those who want it gets it in turn.
    ///
    /// # Errors
    /// [`Error::Timeout`] after `limit`, or when the file can't be opened.
    pub async fn exclusive(path: &Utf8Path, limit: Duration) -> Result<Self> {
        let what = format!("the lock {path}");
        let pace = Duration::from_millis(20);
        poll::until(&what, limit, pace, || std::future::ready(alone(path))).await
    }

    /// The sole right to `path`, if nobody holds it and the file is there.
    pub(super) fn sole(path: &Utf8Path) -> Option<Self> {
        let file = File::options().write(true).open(path).ok()?;
        let granted = flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
        (granted && has_name(&file, path)).then_some(Self(file))
    }

    /// A share in `path`, if nobody builds what it guards and the file is there.
    pub(super) fn shared(path: &Utf8Path) -> Option<Self> {
        let file = File::options().write(true).open(path).ok()?;
        let granted = flock(&file, FlockOperation::NonBlockingLockShared).is_ok();
        (granted && has_name(&file, path)).then_some(Self(file))
    }

    /// Turns it into one that others may share; nobody can get the sole right in between who was
    /// not waiting for it before.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn share(self) -> Result<Self> {
        flock(&self.0, FlockOperation::LockShared).map_err(std::io::Error::from)?;
        Ok(self)
    }
}

fn alone(path: &Utf8Path) -> Result<Seen<Lock>> {
    let file = open(path)?;
    let granted = take(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(match granted && has_name(&file, path) {
        true => Seen::Ready(Lock(file)),
        false => Seen::NotYet("another process holds it".into()),
    })
}

fn look(path: &Utf8Path, usable: &impl Fn() -> bool) -> Result<Seen<Right>> {
    let file = open(path)?;
    let shared = take(&file, FlockOperation::NonBlockingLockShared)?;
    if shared && has_name(&file, path) && usable() {
        return Ok(Seen::Ready(Right::Usable(Lock(file))));
    }
    // The kernel may let go of the shared lock before it grants the other one, and somebody
    // else may build in between: whoever gets the sole right has to look again.
    if take(&file, FlockOperation::NonBlockingLockExclusive)? {
        if has_name(&file, path) {
            return Ok(Seen::Ready(Right::ToBuild(Lock(file))));
        }
        return Ok(Seen::NotYet("its file was removed".into()));
    }
    // Asking for the sole right has let go of the share, and somebody else may have got the right since. Only with a
    // share again it is sure that nobody builds, and that the others are users of something that can't be used.
    if shared && take(&file, FlockOperation::NonBlockingLockShared)? && has_name(&file, path) {
        if usable() {
            return Ok(Seen::Ready(Right::Usable(Lock(file))));
        }
        remove_if_same(&file, path)?;
        return Ok(Seen::NotYet(
            "its users are left with what they have".into(),
        ));
    }
    Ok(Seen::NotYet("another process holds it".into()))
}

fn open(path: &Utf8Path) -> Result<File> {
    let open = || {
        fs_err::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
    };
    let file = match (open(), path.parent()) {
        // The whole folder may be gone, as by `rm -r` on a cache in use.
        (Err(error), Some(dir)) if error.kind() == std::io::ErrorKind::NotFound => {
            fs_err::create_dir_all(dir)?;
            open()?
        }
        (file, _) => file?,
    };
    Ok(file.into_parts().0)
}

/// Whether `file` is still what `path` leads to.
fn has_name(file: &File, path: &Utf8Path) -> bool {
    let (Ok(held), Ok(named)) = (file.metadata(), std::fs::metadata(path)) else {
        return false;
    };
    (held.dev(), held.ino()) == (named.dev(), named.ino())
}

/// Removes the lock file `path` if it is `file`. Of several who do so at once one succeeds; the
/// others find a new file there.
fn remove_if_same(file: &File, path: &Utf8Path) -> Result<()> {
    let removals = open(&path.with_file_name(REMOVALS))?;
    flock(&removals, FlockOperation::LockExclusive).map_err(std::io::Error::from)?;
    if has_name(file, path) {
        fs_err::remove_file(path)?;
    }
    Ok(())
}

/// Whether it was granted.
fn take(file: &File, operation: FlockOperation) -> Result<bool> {
    match flock(file, operation) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(Error::Io(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;

    use super::*;

    fn path(dir: &tempfile::TempDir) -> Utf8PathBuf {
        Utf8PathBuf::from_path_buf(dir.path().join("lock")).unwrap()
    }

    const LIMIT: Duration = Duration::from_secs(1);

    async fn lock(dir: &tempfile::TempDir, usable: bool, told: &mut u32) -> Result<Right> {
        Lock::usable_or_exclusive(&path(dir), LIMIT, || usable, || *told += 1).await
    }

    #[tokio::test(start_paused = true)]
    async fn the_second_builder_waits_and_is_told_so() {
        let dir = tempfile::tempdir().unwrap();
        let held = lock(&dir, false, &mut 0).await.unwrap();
        assert!(matches!(held, Right::ToBuild(_)));
        let mut told = 0;
        let error = lock(&dir, false, &mut told).await.unwrap_err();
        assert!(error.to_string().contains("another process"), "{error}");
        assert_eq!(told, 1);
        drop(held);
        lock(&dir, false, &mut told).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn users_share_it_and_keep_a_builder_out() {
        let dir = tempfile::tempdir().unwrap();
        let Right::ToBuild(built) = lock(&dir, false, &mut 0).await.unwrap() else {
            panic!("nobody has it");
        };
        let mut told = 0;
        let first = (built.share().unwrap(), lock(&dir, true, &mut told).await);
        assert!(matches!(first.1, Ok(Right::Usable(_))), "{:?}", first.1);
        assert_eq!(told, 0);
        assert!(Lock::sole(&path(&dir)).is_none());
        // Nobody who only looks is in the way of the next one.
        let second = lock(&dir, true, &mut told).await.unwrap();
        drop((first, second));
        let alone = lock(&dir, false, &mut told).await.unwrap();
        assert!(matches!(alone, Right::ToBuild(_)));
    }

    /// All who look at once share the lock for a moment, and none of them takes another one for a user of what is damaged.
    #[test]
    fn of_many_who_come_at_once_one_builds() {
        use std::sync::{
            Barrier,
            atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
        };
        for round in 0..300 {
            let dir = tempfile::tempdir().unwrap();
            let (together, made, builds) =
                (Barrier::new(4), AtomicBool::new(false), AtomicUsize::new(0));
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        together.wait();
                        loop {
                            match look(&path(&dir), &|| made.load(SeqCst)).unwrap() {
                                Seen::Ready(Right::Usable(_)) => break,
                                Seen::Ready(Right::ToBuild(_lock)) if made.load(SeqCst) => break,
                                Seen::Ready(Right::ToBuild(_lock)) => {
                                    builds.fetch_add(1, SeqCst);
                                    // Gives the others the time to look while it is built.
                                    std::thread::yield_now();
                                    made.store(true, SeqCst);
                                    break;
                                }
                                Seen::NotYet(_) => std::thread::yield_now(),
                            }
                        }
                    });
                }
            });
            assert_eq!(builds.into_inner(), 1, "round {round}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn users_of_what_is_damaged_are_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let users = lock(&dir, true, &mut 0).await.unwrap();
        assert!(matches!(users, Right::Usable(_)));
        let builder = lock(&dir, false, &mut 0).await.unwrap();
        assert!(matches!(builder, Right::ToBuild(_)));
        // There is one builder, as ever, whatever the users of before still hold.
        lock(&dir, false, &mut 0).await.unwrap_err();
        drop(builder);
        lock(&dir, true, &mut 0).await.unwrap();
        drop(users);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_whose_file_was_removed_is_worth_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let folder = tempfile::tempdir_in(dir.path()).unwrap();
        let held = lock(&folder, false, &mut 0).await.unwrap();
        std::fs::remove_dir_all(folder.path()).unwrap();
        // The folder is made again, and the next one to come does not wait for what is gone.
        let next = lock(&folder, false, &mut 0).await.unwrap();
        assert!(matches!(next, Right::ToBuild(_)));
        lock(&folder, false, &mut 0).await.unwrap_err();
        drop(held);
        lock(&folder, false, &mut 0).await.unwrap_err();
    }

    #[tokio::test(start_paused = true)]
    async fn a_user_waits_for_the_builder() {
        let dir = tempfile::tempdir().unwrap();
        let built = lock(&dir, false, &mut 0).await.unwrap();
        let mut told = 0;
        lock(&dir, true, &mut told).await.unwrap_err();
        assert_eq!(told, 1);
        drop(built);
        lock(&dir, true, &mut told).await.unwrap();
    }
}
