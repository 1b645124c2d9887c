//! One builder per image, across processes.

use std::{
    fs::File,
    sync::mpsc::{self, RecvTimeoutError},
    time::{Duration, Instant},
};

use camino::Utf8Path;
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use super::{
    error::{Doing as _, ImageError},
    stop::Stop,
};

/// How often one who waits looks whether he should stop.
const LOOK: Duration = Duration::from_millis(50);

/// The lock is held until this is dropped or the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct ImageLock {
    _file: File,
}

impl ImageLock {
    /// The lock at `path` if nobody holds it.
    pub(crate) fn attempt(path: &Utf8Path) -> Result<Option<Self>, ImageError> {
        let file = open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error).doing("lock", path),
        }
    }

    /// Waits for the lock at `path` for at most `limit`, or until it is told to stop.
    pub(crate) fn wait(
        path: &Utf8Path,
        image: &str,
        limit: Duration,
        stop: &Stop,
    ) -> Result<Self, ImageError> {
        let file = open(path)?;
        let (sender, receiver) = mpsc::channel();
        // flock has no timeout of its own. A thread that is given up gets the lock some day, finds nobody to
        // hand it to, and lets go.
        std::thread::spawn(move || {
            let result = flock(&file, FlockOperation::LockExclusive);
            let _ = sender.send(result.map(|()| Self { _file: file }));
        });
        let begin = Instant::now();
        let ended = loop {
            match receiver.recv_timeout(LOOK.min(limit)) {
                Err(RecvTimeoutError::Timeout) if begin.elapsed() < limit && !stop.is_raised() => {}
                ended => break ended,
            }
        };
        match ended {
            Ok(result) => result.doing("lock", path),
            Err(_) if stop.is_raised() => Err(ImageError::Stopped {
                step: format!("the wait for {image}"),
            }),
            Err(_) => Err(ImageError::LockTimeout {
                image: image.to_owned(),
                lock: path.to_owned(),
                limit,
            }),
        }
    }
}

fn open(path: &Utf8Path) -> Result<File, ImageError> {
    // Never truncated and never removed: another process may hold it.
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .doing("open", path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_one_waits_until_the_first_lets_go() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = camino::Utf8PathBuf::try_from(dir.path().join("lock")).expect("UTF-8");
        let first = ImageLock::attempt(&path)
            .expect("no error")
            .expect("nobody holds it");
        assert!(ImageLock::attempt(&path).expect("no error").is_none());
        let error = ImageLock::wait(&path, "img-0", Duration::from_millis(1), &Stop::default())
            .expect_err("it is held");
        assert!(matches!(error, ImageError::LockTimeout { .. }), "{error}");
        let waiter = {
            let path = path.clone();
            std::thread::spawn(move || {
                ImageLock::wait(&path, "img-0", Duration::from_secs(60), &Stop::default()).map(drop)
            })
        };
        drop(first);
        waiter.join().expect("no panic").expect("the lock");
    }
}
