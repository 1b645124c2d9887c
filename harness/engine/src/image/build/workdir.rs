//! The folder that an image is built in, and what is left of it when a build dies.

use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};

use camino::{Utf8Path, Utf8PathBuf};

use super::{build_step::BuildStep, mounts, plan};
use crate::{
    image::{
        error::{Doing as _, ImageError},
        stop::Stop,
    },
    util::scratch::Owned,
};

/// Begins the name of everything in `images/` that is no image.
pub(crate) const PREFIX: &str = ".building-";

/// Names the folder for mmdebstrap's own temporary trees.
const SCRATCH_LINK: &str = "scratch";
const SCRATCH_PREFIX: &str = "spawnlab-build-";

/// What the C library, apt and dpkg say to a full disk.
const FULL: &[&str] = &[
    "No space left on device",
    "You don't have enough free space",
];

/// A build's folder: `.building-IMAGE.RANDOM` beside the images, for the caller only.
#[derive(Debug)]
pub(crate) struct Workdir {
    dir: Utf8PathBuf,
    scratch: Utf8PathBuf,
    keep_log: bool,
    stop: Stop,
    // A second interruption waits for what the first one began: see `drop`.
    _owned: Owned,
}

impl Workdir {
    /// Makes a folder for building `image` in `images`.
    pub(crate) fn create(images: &Utf8Path, image: &str, stop: &Stop) -> Result<Self, ImageError> {
        let owned = Owned::begin();
        let dir = tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{image}."))
            .tempdir_in(images)
            .doing("create a folder in", images)?
            .keep();
        let dir = Utf8PathBuf::try_from(dir)
            .map_err(camino::FromPathBufError::into_io_error)
            .doing("use", images)?;
        set_mode(&dir, 0o700)?;
        for name in ["log", "out"] {
            std::fs::create_dir(dir.join(name)).doing("create", dir.join(name))?;
        }
        // Mapped root is not the owner here. It gets in because this is the current folder of what it runs, while
        // nobody else gets through the folders above.
        folder(&dir.join("work"), 0o777)?;
        // mmdebstrap wants a folder that any user can reach, and /tmp is often memory.
        let base = std::env::var("TMPDIR")
            .ok()
            .map(Utf8PathBuf::from)
            .filter(|dir| dir.is_absolute());
        let base = base.unwrap_or_else(|| Utf8PathBuf::from("/var/tmp"));
        let random = dir.extension().unwrap_or("0");
        let scratch = base.join(format!("{SCRATCH_PREFIX}{random}"));
        // The link first: a build that dies between the two leaves a link to nothing.
        std::os::unix::fs::symlink(&scratch, dir.join(SCRATCH_LINK))
            .doing("create", dir.join(SCRATCH_LINK))?;
        folder(&scratch, 0o711)?;
        Ok(Self {
            dir,
            scratch,
            keep_log: true,
            stop: stop.clone(),
            _owned: owned,
        })
    }

    /// Where the image's folder takes shape.
    pub(crate) fn out(&self) -> Utf8PathBuf {
        self.dir.join("out")
    }

    /// The current folder of everything that runs as mapped root; other users can write in it, but not reach it.
    pub(crate) fn work(&self) -> Utf8PathBuf {
        self.dir.join("work")
    }

    /// mmdebstrap's `TMPDIR`.
    pub(crate) fn scratch(&self) -> &Utf8Path {
        &self.scratch
    }

    /// Ends the build's steps.
    pub(crate) fn stop(&self) -> &Stop {
        &self.stop
    }

    /// What takes up room, as the user knows it: the folder of the images, and the temporary one.
    pub(crate) fn positions(&self) -> (&Utf8Path, &Utf8Path) {
        let images = self.dir.parent().unwrap_or(&self.dir);
        (images, self.scratch.parent().unwrap_or(&self.scratch))
    }

    /// A step's log file.
    pub(crate) fn log(&self, name: &str) -> Utf8PathBuf {
        self.dir.join("log").join(format!("{name}.log"))
    }

    /// Tells a full disk from other reasons for a step's failure. What the step wrote is gone by now, and the room is
    /// back: only the log knows.
    pub(crate) fn explain(&self, error: ImageError) -> ImageError {
        let ImageError::Step { step, log, .. } = &error else {
            return error;
        };
        let text = std::fs::read(log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        if !FULL.iter().any(|phrase| text.contains(phrase)) {
            return error;
        }
        let (images, scratch) = self.positions();
        ImageError::DiskFull {
            step: step.clone(),
            dir: images.to_owned(),
            scratch: scratch.to_owned(),
            log: log.clone(),
        }
    }

    /// Removes everything, logs too.
    pub(crate) fn remove(mut self) {
        self.keep_log = false;
    }
}

impl Drop for Workdir {
    /// After an error the logs stay (not where it was stopped), for whoever reads the message that names them; the next build removes them.
    fn drop(&mut self) {
        let removed = empty(&self.dir, &self.scratch).and_then(|()| {
            if self.keep_log && !self.stop.is_raised() {
                let out = self.out();
                std::fs::remove_dir_all(&out).doing("remove", out)
            } else {
                std::fs::remove_dir_all(&self.dir).doing("remove", &self.dir)
            }
        });
        if let Err(error) = removed {
            tracing::warn!(%error, "left behind for the next build to remove");
        }
    }
}

/// The image that a folder in `images/` is the leftover of, by the folder's name.
pub(crate) fn image_of(name: &str) -> Option<&str> {
    Some(name.strip_prefix(PREFIX)?.rsplit_once('.')?.0)
}

/// Removes the leftover at `dir`. The caller holds the lock of the image, so nobody builds there.
pub(crate) fn remove_stale(dir: &Utf8Path) -> Result<(), ImageError> {
    if let Ok(scratch) = dir.join(SCRATCH_LINK).read_link_utf8() {
        if scratch
            .file_name()
            .is_some_and(|name| name.starts_with(SCRATCH_PREFIX))
        {
            empty(dir, &scratch)?;
        }
    }
    mounts::end_below(dir);
    std::fs::remove_dir_all(dir).doing("remove", dir)
}

/// Removes the work and scratch folders, which may hold files of mapped users.
fn empty(dir: &Utf8Path, scratch: &Utf8Path) -> Result<(), ImageError> {
    let work = dir.join("work");
    let folders = [work.as_path(), scratch];
    let refused = folders.into_iter().filter(|folder| remove(folder).is_err());
    for folder in refused.collect::<Vec<_>>() {
        empty_as_mapped_root(dir, folder)?;
        // What is left are the folders of the caller, now empty.
        remove(folder)?;
    }
    Ok(())
}

/// Removes what mapped users own in `folder`. Its entries are named here, because mapped root cannot list it.
fn empty_as_mapped_root(dir: &Utf8Path, folder: &Utf8Path) -> Result<(), ImageError> {
    let mut entries = Vec::new();
    for entry in folder.read_dir_utf8().doing("read", folder)? {
        entries.push(format!("./{}", entry.doing("read", folder)?.file_name()));
    }
    let log = dir.join("log");
    std::fs::create_dir_all(&log).doing("create", &log)?;
    // Fails at the entry itself where the folder is not open to it; that one the caller can remove.
    let script = r#"for entry; do find "$entry" -xdev -depth -delete; done 2>/dev/null; :"#;
    BuildStep::new(
        "removal of a build's files",
        "mmdebstrap",
        log.join("remove.log"),
        plan::SHORT_LIMIT,
    )
    .args(["--unshare-helper", "sh", "-c", script, "sh"])
    .args(entries)
    .dir(folder)
    .run()
}

fn remove(folder: &Utf8Path) -> Result<(), ImageError> {
    mounts::end_below(folder);
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).doing("remove", folder)
        }
        _ => Ok(()),
    }
}

/// Makes a folder with exactly these permissions, whatever the umask.
fn folder(path: &Utf8Path, mode: u32) -> Result<(), ImageError> {
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(path)
        .doing("create", path)?;
    set_mode(path, mode)
}

fn set_mode(path: &Utf8Path, mode: u32) -> Result<(), ImageError> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .doing("set the permissions of", path)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_full_disk_is_named_and_only_the_logs_stay() {
        let images = tempfile::tempdir().expect("a folder");
        let images = Utf8Path::from_path(images.path()).expect("UTF-8");
        let work = Workdir::create(images, "small-1", &Stop::default()).expect("a work folder");
        let (dir, scratch) = (work.dir.clone(), work.scratch.clone());
        let run = |script: &str| {
            BuildStep::new("the step", "sh", work.log("step"), Duration::from_secs(60))
                .args(["-c", script])
                .run()
                .map_err(|error| work.explain(error))
                .expect_err("it fails")
        };
        assert!(matches!(run("false"), ImageError::Step { .. }));
        let error = run("echo 'tar: x: Cannot write: No space left on device'; seq 100; exit 2");
        assert!(
            matches!(&error, ImageError::DiskFull { dir, .. } if dir == images),
            "{error}"
        );
        assert!(scratch.exists());
        drop(work);
        assert!(!scratch.exists() && !dir.join("work").exists() && !dir.join("out").exists());
        assert!(dir.join("log/step.log").exists());
        remove_stale(&dir).expect("removed");
        assert!(!dir.exists());
    }

    #[test]
    fn leftovers_are_told_from_images() {
        assert_eq!(
            image_of(".building-debian-trixie-0011.aB3x"),
            Some("debian-trixie-0011")
        );
        assert_eq!(
            image_of(".building-debian-trixie-0011.old"),
            Some("debian-trixie-0011")
        );
        assert_eq!(image_of("debian-trixie-0011"), None);
        assert_eq!(image_of(".lock-debian-trixie-0011"), None);
    }
}
