//! File locks between processes: the kernel releases them when their holder dies.

use std::{fs::File, time::Duration};

use camino::Utf8Path;
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use crate::{
    error::{Error, Result},
    poll::{self, Seen},
};

/// A held lock; dropping it lets go.
#[derive(Debug)]
pub struct Lock(File);

/// What [`Lock::usable_or_exclusive`] got.
#[derive(Debug)]
pub enum Right {
    /// It is usable, and stays so as long as the lock is held; others use it, too.
    Usable(Lock),
    /// It was not usable a moment ago; nobody else has it.
    ToBuild(Lock),
}

enum Held {
    Shared,
    Exclusive,
}

impl Lock {
    /// Waits for `path` until what it guards is `usable`, or until there is the sole right to make
    /// it so; calls `waiting` once if neither can be had at once. Those who only use it share it,
    /// so that any number of runs go on at the same time.
    ///
    /// # Errors
    /// [`Error::Timeout`] after `limit`, or when the file can't be opened.
    pub async fn usable_or_exclusive(
        path: &Utf8Path,
        limit: Duration,
        usable: impl Fn() -> bool,
        mut waiting: impl FnMut(),
    ) -> Result<Right> {
        let file = fs_err::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)?
            .into_parts()
            .0;
        let mut told = false;
        let right = poll::until(
            &format!("the lock {path}"),
            limit,
            Duration::from_millis(100),
            || {
                let right = Self::look(&file, &usable);
                if matches!(right, Ok(Seen::NotYet(_))) && !std::mem::replace(&mut told, true) {
                    waiting();
                }
                std::future::ready(right)
            },
        )
        .await?;
        let lock = Self(file);
        Ok(match right {
            Held::Shared => Right::Usable(lock),
            Held::Exclusive => Right::ToBuild(lock),
        })
    }

    fn look(file: &File, usable: &impl Fn() -> bool) -> Result<Seen<Held>> {
        if take(file, FlockOperation::NonBlockingLockShared)? && usable() {
            return Ok(Seen::Ready(Held::Shared));
        }
        // The kernel may let go of the shared lock before it grants the other one, and somebody
        // else may build in between: whoever gets the sole right has to look again.
        if take(file, FlockOperation::NonBlockingLockExclusive)? {
            return Ok(Seen::Ready(Held::Exclusive));
        }
        // A refused change may have kept the shared lock, which would keep every builder out.
        flock(file, FlockOperation::Unlock).map_err(std::io::Error::from)?;
        Ok(Seen::NotYet("another process holds it".into()))
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
        lock(&dir, false, &mut told).await.unwrap_err();
        // The builder that was turned away is in nobody's way.
        let second = lock(&dir, true, &mut told).await.unwrap();
        drop((first, second));
        let alone = lock(&dir, false, &mut told).await.unwrap();
        assert!(matches!(alone, Right::ToBuild(_)));
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
