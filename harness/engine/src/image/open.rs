//! An image on disk, checked and ready to boot.

use camino::{Utf8Path, Utf8PathBuf};

use super::{
    error::{Doing as _, ImageError},
    manifest::Manifest,
};

/// An image whose files were all there, and readable, when it was opened.
#[derive(Debug, Clone)]
pub struct Image {
    dir: Utf8PathBuf,
    manifest: Manifest,
}

impl Image {
    /// Opens the image in `dir`, whoever built it.
    ///
    /// # Errors
    /// Those of [`Manifest::read`]; [`ImageError::MissingPart`] for a file that is not there;
    /// [`ImageError::Io`] for one that cannot be read.
    pub fn open(dir: impl AsRef<Utf8Path>) -> Result<Self, ImageError> {
        let dir = dir.as_ref();
        let manifest = Manifest::read(dir)?;
        let dir = dir.canonicalize_utf8().doing("read", dir)?;
        for (part, file) in manifest.files() {
            let path = dir.join(file);
            match std::fs::File::open(&path) {
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    return Err(ImageError::MissingPart {
                        dir,
                        part,
                        file: file.clone(),
                    });
                }
                Err(error) => return Err(error).doing("read", path),
            }
        }
        Ok(Self { dir, manifest })
    }

    /// The image's folder, absolute.
    #[must_use]
    pub fn dir(&self) -> &Utf8Path {
        &self.dir
    }

    /// Its description.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What identifies this build, and nothing else: part of every layer's key.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.manifest.id
    }

    /// The kernel, absolute.
    #[must_use]
    pub fn kernel(&self) -> Utf8PathBuf {
        self.dir.join(&self.manifest.kernel)
    }

    /// The initial RAM disk, absolute.
    #[must_use]
    pub fn initrd(&self) -> Utf8PathBuf {
        self.dir.join(&self.manifest.initrd)
    }

    /// `path` of the manifest, absolute.
    #[must_use]
    pub fn file(&self, path: &Utf8Path) -> Utf8PathBuf {
        self.dir.join(path)
    }
}
