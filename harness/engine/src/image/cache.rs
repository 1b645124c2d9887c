//! Built images in the user's cache folder.

use std::{
    env,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    time::{Duration, Instant},
};

use camino::{Utf8Path, Utf8PathBuf};

use super::{
    build::{
        self,
        programs::{self, Programs},
        workdir,
    },
    error::{Doing as _, ImageError},
    event::ImageEvent,
    lock::ImageLock,
    open::Image,
    recipe::{ImageKind, Recipe},
    stop::Stop,
};

/// Longer than any build takes: the other builder's own deadlines end it before.
pub(super) const LOCK_LIMIT: Duration = Duration::from_secs(60 * 60);

/// The folder of the trees of programs.
const PROGRAMS: &str = "programs";

/// Whether an image that exists is good enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresh {
    /// Use it.
    No,
    /// Build it again, with the packages of today.
    Yes,
}

/// The folder that built images live in: `images/NAME-HASH/` in the cache.
#[derive(Debug, Clone)]
pub struct Cache {
    root: Utf8PathBuf,
    images: Utf8PathBuf,
    pub(super) stop: Stop,
}

impl Cache {
    /// The user's cache: `$SPAWNLAB_CACHE`, else `$XDG_CACHE_HOME/spawnlab`, else `~/.cache/spawnlab`. Created if needed.
    ///
    /// # Errors
    /// [`ImageError::NoCacheFolder`] if none of them is set to an absolute path, and those of [`Cache::at`].
    pub fn open() -> Result<Self, ImageError> {
        Self::at(locate(|name| env::var(name).ok())?)
    }

    /// Where [`Cache::open`] would open it; nothing is made.
    ///
    /// # Errors
    /// [`ImageError::NoCacheFolder`] if none of the variables is set to an absolute path.
    pub fn location() -> Result<Utf8PathBuf, ImageError> {
        locate(|name| env::var(name).ok())
    }

    /// A cache in `root`. Created if needed, with permissions for the caller only.
    ///
    /// # Errors
    /// [`ImageError::ForeignCache`] and [`ImageError::OpenCache`] if somebody else could put an image there;
    /// [`ImageError::Io`].
    pub fn at(root: impl Into<Utf8PathBuf>) -> Result<Self, ImageError> {
        let root = root.into();
        private_folder(&root)?;
        let images = root.join("images");
        private_folder(&images)?;
        let stop = Stop::default();
        Ok(Self { root, images, stop })
    }

    /// The same cache, whose builds end once `stop` says so, and leave nothing behind.
    #[must_use]
    pub fn stopped_by(mut self, stop: &Stop) -> Self {
        self.stop = stop.clone();
        self
    }

    /// The cache folder itself. Other things than images may live in it, too.
    #[must_use]
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// The image of `recipe` if it is built.
    ///
    /// # Errors
    /// Those of [`Image::open`], except for a folder that is not there.
    pub fn find(&self, recipe: &Recipe) -> Result<Option<Image>, ImageError> {
        match Image::open(self.images.join(recipe.folder())) {
            Ok(image) => Ok(Some(image)),
            Err(ImageError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The image of `recipe`, built if it is not there. Blocks, for minutes if it has to build.
    ///
    /// Only a finished build gets the image's name: one that dies leaves a folder `.building-*`, which the next
    /// call removes. Two processes never build the same image at once.
    ///
    /// # Errors
    /// Any [`ImageError`]: a damaged image is reported, not silently replaced; [`Refresh::Yes`] replaces it.
    pub fn image(
        &self,
        recipe: &Recipe,
        refresh: Refresh,
        progress: &(dyn Fn(ImageEvent) + Sync),
    ) -> Result<Image, ImageError> {
        if recipe.spec().kind == ImageKind::Nixos && recipe.nixos.is_none() {
            let image = recipe.spec().name.clone();
            return Err(ImageError::NoNixpkgs { image });
        }
        if refresh == Refresh::No {
            if let Some(image) = self.find(recipe)? {
                return Ok(image);
            }
        }
        let folder = recipe.folder();
        let asked = Instant::now();
        let path = self.lock_path(&folder);
        let (_lock, waited) = match ImageLock::attempt(&path)? {
            Some(lock) => (lock, false),
            None => {
                progress(ImageEvent::Waiting {
                    image: folder.clone(),
                });
                (
                    ImageLock::wait(&path, &folder, LOCK_LIMIT, &self.stop)?,
                    true,
                )
            }
        };
        // Whoever was waited for has just built it: fresh enough for both.
        if refresh == Refresh::No || waited {
            if let Some(image) = self.find(recipe)? {
                return Ok(image);
            }
        }
        self.sweep(&folder, progress)?;
        let target = self.images.join(&folder);
        progress(ImageEvent::Building {
            image: folder.clone(),
        });
        let building = workdir::Workdir::create(&self.images, &folder, &self.stop)?;
        let kept = Programs {
            folder: self.folder(PROGRAMS)?,
            refresh,
        };
        let finished = match build::run(recipe, &kept, &building, progress) {
            Ok(finished) => finished,
            Err(error) => {
                // The message has all there is to say, and names no log.
                if error.is_given() {
                    building.remove();
                }
                return Err(error);
            }
        };
        put_in_place(&self.images, &finished, &target)?;
        building.remove();
        progress(ImageEvent::Built {
            dir: target.clone(),
            took: asked.elapsed(),
        });
        Image::open(target)
    }

    /// The trees of programs that NixOS images are made of, with their sizes in bytes.
    ///
    /// # Errors
    /// [`ImageError::Io`].
    pub fn programs(&self) -> Result<Vec<(Utf8PathBuf, u64)>, ImageError> {
        programs::trees(&self.root.join(PROGRAMS))
    }

    /// Removes those that no build used for `age`, or for the two weeks after which a build does it, and returns
    /// them. A build that uses one goes on with it.
    ///
    /// # Errors
    /// [`ImageError::Io`].
    pub fn clean_programs(
        &self,
        age: Option<Duration>,
    ) -> Result<Vec<(Utf8PathBuf, u64)>, ImageError> {
        programs::remove_unused(&self.root.join(PROGRAMS), age.unwrap_or(programs::AGE))
    }

    /// What builds left that died: folders of images and trees of programs whose lock nobody holds.
    ///
    /// # Errors
    /// [`ImageError::Io`].
    pub fn leftovers(&self) -> Result<Vec<Utf8PathBuf>, ImageError> {
        let mut found = programs::leftovers(&self.root.join(PROGRAMS))?;
        self.each_dead(None, |path| {
            found.push(path.to_owned());
            Ok(())
        })?;
        Ok(found)
    }

    /// Removes what builds left that died.
    ///
    /// # Errors
    /// [`ImageError::Io`].
    pub fn sweep_all(&self) -> Result<(), ImageError> {
        for path in programs::leftovers(&self.root.join(PROGRAMS))? {
            std::fs::remove_file(&path).doing("remove", path)?;
        }
        self.each_dead(None, workdir::remove_stale)
    }

    /// Removes what builds that died left: of `folder`, whose lock the caller holds, and of every image whose
    /// lock is free.
    fn sweep(
        &self,
        folder: &str,
        progress: &(dyn Fn(ImageEvent) + Sync),
    ) -> Result<(), ImageError> {
        self.each_dead(Some(folder), |path| {
            workdir::remove_stale(path)?;
            progress(ImageEvent::Cleaned {
                path: path.to_owned(),
            });
            Ok(())
        })
    }

    /// Calls `with` for each folder of a dead build, under the lock of its image; the caller holds that of
    /// `own`.
    fn each_dead(
        &self,
        own: Option<&str>,
        mut with: impl FnMut(&Utf8Path) -> Result<(), ImageError>,
    ) -> Result<(), ImageError> {
        for entry in self.images.read_dir_utf8().doing("read", &self.images)? {
            let entry = entry.doing("read", &self.images)?;
            let Some(image) = workdir::image_of(entry.file_name()) else {
                continue;
            };
            let lock = match own {
                Some(own) if own == image => None,
                _ => match ImageLock::attempt(&self.lock_path(image))? {
                    Some(lock) => Some(lock),
                    None => continue,
                },
            };
            with(entry.path())?;
            drop(lock);
        }
        Ok(())
    }

    /// A folder of the cache beside that of the images. Created if needed.
    pub(super) fn folder(&self, name: &str) -> Result<Utf8PathBuf, ImageError> {
        let folder = self.root.join(name);
        private_folder(&folder)?;
        Ok(folder)
    }

    fn lock_path(&self, folder: &str) -> Utf8PathBuf {
        self.images.join(format!(".lock-{folder}"))
    }
}

/// Renames the finished image to its name. The one that it replaces is set aside first, as leftovers of a build:
/// between the two renames there is no image, never half of one.
fn put_in_place(
    images: &Utf8Path,
    finished: &Utf8Path,
    target: &Utf8Path,
) -> Result<(), ImageError> {
    build::sync::tree(finished)?;
    let folder = target.file_name().unwrap_or_default();
    let aside = images.join(format!("{}{folder}.old", workdir::PREFIX));
    let replaces = target.exists();
    if replaces {
        std::fs::rename(target, &aside).doing("rename", target)?;
    }
    std::fs::rename(finished, target).doing("rename", finished)?;
    build::sync::folder(images)?;
    if replaces {
        workdir::remove_stale(&aside)?;
    }
    Ok(())
}

fn locate(variable: impl Fn(&str) -> Option<String>) -> Result<Utf8PathBuf, ImageError> {
    let absolute = |name: &str| {
        variable(name)
            .map(Utf8PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    match variable("SPAWNLAB_CACHE").filter(|value| !value.is_empty()) {
        // Set, but to something relative: an error, not a silent other place.
        Some(_) => absolute("SPAWNLAB_CACHE"),
        None => absolute("XDG_CACHE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
            .map(|path| path.join("spawnlab")),
    }
    .ok_or(ImageError::NoCacheFolder)
}

fn private_folder(dir: &Utf8Path) -> Result<(), ImageError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .doing("create", dir)?;
    let metadata = std::fs::metadata(dir).doing("read", dir)?;
    check_owner(
        dir,
        metadata.uid(),
        metadata.mode() & 0o7777,
        rustix::process::geteuid().as_raw(),
    )
}

fn check_owner(dir: &Utf8Path, owner: u32, mode: u32, caller: u32) -> Result<(), ImageError> {
    if owner != caller {
        return Err(ImageError::ForeignCache {
            dir: dir.to_owned(),
            owner,
            caller,
        });
    }
    if mode & 0o022 != 0 {
        return Err(ImageError::OpenCache {
            dir: dir.to_owned(),
            mode,
        });
    }
    Ok(())
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
