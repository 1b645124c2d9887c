//! What can go wrong with images.

use std::{io, time::Duration};

use camino::Utf8PathBuf;

use super::manifest::{MANIFEST_FILE, MANIFEST_VERSION};

/// An image could not be opened, found or built. The text names the next step where there is one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The folder does not exist.
    #[error("there is no image at {dir}; `spawnlab image build` builds the default one")]
    Missing {
        /// The folder.
        dir: Utf8PathBuf,
    },

    /// The folder exists and is no image.
    #[error("{dir} is no image: it has no {MANIFEST_FILE}")]
    NoManifest {
        /// The folder.
        dir: Utf8PathBuf,
    },

    /// `image.json` could not be understood.
    #[error("{path} is damaged or not an image's description: {why}")]
    BadManifest {
        /// The file.
        path: Utf8PathBuf,
        /// What is wrong with it.
        why: String,
    },

    /// `image.json` is of a version that this program does not know.
    #[error(
        "{path} is of version {found}, and this spawnlab reads version {MANIFEST_VERSION}: \
         rebuild the image or use the spawnlab that built it"
    )]
    UnknownVersion {
        /// The file.
        path: Utf8PathBuf,
        /// Its version.
        found: u64,
    },

    /// A file that `image.json` names is not there.
    #[error(
        "the image at {dir} lacks its {part}, {file}; rebuild it with `spawnlab image build --refresh`"
    )]
    MissingPart {
        /// The image's folder.
        dir: Utf8PathBuf,
        /// `kernel`, `initrd` or `disk`.
        part: &'static str,
        /// The file's path in the folder.
        file: Utf8PathBuf,
    },

    /// A recipe could not be read or does not make sense.
    #[error("recipe {origin}: {why}")]
    Recipe {
        /// Its path, or the name of an embedded one.
        origin: String,
        /// What is wrong.
        why: String,
    },

    /// The nixpkgs that the user named can't be read, or is none.
    #[error("nixpkgs {given}: {why}")]
    Nixpkgs {
        /// As the user wrote it.
        given: String,
        /// What is wrong with it.
        why: String,
    },

    /// A module of the user's can't be read, or is none.
    #[error("host module {file}: {why}")]
    HostModule {
        /// Its file.
        file: Utf8PathBuf,
        /// What is wrong with it.
        why: String,
    },

    /// A recipe of NixOS hosts without a nixpkgs.
    #[error(
        "{image}: its hosts are made of the modules of a nixpkgs, and none is named; --nixpkgs PATH (or \
         SPAWNLAB_NIXPKGS) names one, such as a checkout of NixOS/nixpkgs"
    )]
    NoNixpkgs {
        /// The recipe's name.
        image: String,
    },

    /// A nixpkgs, or a module, for hosts that are no NixOS.
    #[error(
        "{image}: its hosts are no NixOS and take neither a nixpkgs nor modules; --image nixos does"
    )]
    NotNixos {
        /// The recipe's name.
        image: String,
    },

    /// What the user gave is no host: the nixpkgs is too old, the patch does not apply, or the configuration does not
    /// evaluate.
    #[error("nixpkgs {label}: {what}:\n{why}")]
    NixosRefused {
        /// What the nixpkgs is called in reports.
        label: String,
        /// What is wrong, in our words, and what to do.
        what: &'static str,
        /// What is wrong, in those of the tree.
        why: String,
    },

    /// A part of a NixOS host's system could not be built.
    #[error(
        "nixpkgs {label}: the host's system could not be built; the whole log is {log}:\n{why}"
    )]
    NixosBuild {
        /// What the nixpkgs is called in reports.
        label: String,
        /// The whole log.
        log: Utf8PathBuf,
        /// What failed.
        why: String,
    },

    /// The guest base of an image could not be taken out of it.
    #[error("the guests' base {path} can't be taken out of the image at {dir}: {why}")]
    GuestBase {
        /// The image's folder.
        dir: Utf8PathBuf,
        /// The base's path in the image's Nix store.
        path: Utf8PathBuf,
        /// What is wrong.
        why: String,
    },

    /// There is no place for a cache.
    #[error("no folder for images: set SPAWNLAB_CACHE (or HOME) to an absolute path")]
    NoCacheFolder,

    /// The cache belongs to somebody else, who could exchange what is in it.
    #[error(
        "the cache folder {dir} belongs to user {owner}, not to user {caller} who runs this: \
         set SPAWNLAB_CACHE to a folder of your own"
    )]
    ForeignCache {
        /// The folder.
        dir: Utf8PathBuf,
        /// Its owner's number.
        owner: u32,
        /// The caller's number.
        caller: u32,
    },

    /// Somebody else may write into the cache.
    #[error("the cache folder {dir} can be written by others (mode {mode:o}): `chmod go-w {dir}`")]
    OpenCache {
        /// The folder.
        dir: Utf8PathBuf,
        /// Its permission bits.
        mode: u32,
    },

    /// This machine's processor is not one that the recipes are for.
    #[error("images are built on x86_64 only, this is {arch}")]
    Arch {
        /// What the machine is.
        arch: &'static str,
    },

    /// Programs are missing.
    #[error("building an image needs {}; `apt-get install {}` has it", .programs.join(", "), .packages.join(" "))]
    MissingTools {
        /// What was not found.
        programs: Vec<String>,
        /// The Debian and Ubuntu packages that have it.
        packages: Vec<String>,
    },

    /// An ordinary user without subordinate user numbers cannot make a tree with several owners.
    #[error(
        "user {user} has no range in {file}: add one as root with \
         `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}`"
    )]
    NoSubIds {
        /// The user.
        user: String,
        /// `/etc/subuid` or `/etc/subgid`.
        file: &'static str,
    },

    /// Not enough room to begin.
    #[error(
        "building the image needs {needed_mib} MiB in {dir}, {free_mib} MiB are free: \
         make room or set {variable} to a folder on a larger disk"
    )]
    NoRoom {
        /// Where the room is needed.
        dir: Utf8PathBuf,
        /// What is needed, in MiB.
        needed_mib: u64,
        /// What is there, in MiB.
        free_mib: u64,
        /// The variable that moves it elsewhere.
        variable: &'static str,
    },

    /// The disk became full during the build.
    #[error(
        "the disk was full during {step}: make room in {dir} (or set SPAWNLAB_CACHE) and in {scratch} (or set TMPDIR); \
         nothing was kept but the log, {log}"
    )]
    DiskFull {
        /// The step that failed.
        step: String,
        /// Where the image is built.
        dir: Utf8PathBuf,
        /// Where mmdebstrap's trees are.
        scratch: Utf8PathBuf,
        /// The step's log.
        log: Utf8PathBuf,
    },

    /// A step of the build failed.
    #[error("{step} failed ({how}); the end of {log}:\n{tail}")]
    Step {
        /// What was being done.
        step: String,
        /// How its program ended.
        how: String,
        /// The whole log.
        log: Utf8PathBuf,
        /// The last lines of it.
        tail: String,
    },

    /// A step of the build took too long.
    #[error("{step} was stopped after {}; the end of {log}:\n{tail}", humantime::format_duration(*.limit))]
    StepTimeout {
        /// What was being done.
        step: String,
        /// Its deadline.
        limit: Duration,
        /// The whole log.
        log: Utf8PathBuf,
        /// The last lines of it.
        tail: String,
    },

    /// Somebody said that it should end.
    #[error("{step} was stopped")]
    Stopped {
        /// What was being done.
        step: String,
    },

    /// Another process holds the image's lock for too long.
    #[error("waited {} for another process that builds {image}; `fuser {lock}` names it", humantime::format_duration(*.limit))]
    LockTimeout {
        /// The image's folder name.
        image: String,
        /// The lock file.
        lock: Utf8PathBuf,
        /// How long.
        limit: Duration,
    },

    /// A file could not be read or written.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// `read`, `create`, ...
        action: &'static str,
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl ImageError {
    /// Whether what the user gave is to blame, and not this machine or the lab.
    #[must_use]
    pub fn is_given(&self) -> bool {
        matches!(
            self,
            Self::Nixpkgs { .. }
                | Self::HostModule { .. }
                | Self::NoNixpkgs { .. }
                | Self::NotNixos { .. }
                | Self::NixosRefused { .. }
        )
    }
}

/// Adds what was being done to which file to an error of the operating system.
pub(crate) trait Doing<T> {
    /// `action` is a verb: the message reads "cannot ACTION PATH: why".
    fn doing(self, action: &'static str, path: impl Into<Utf8PathBuf>) -> Result<T, ImageError>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, action: &'static str, path: impl Into<Utf8PathBuf>) -> Result<T, ImageError> {
        self.map_err(|source| ImageError::Io {
            action,
            path: path.into(),
            source: source.into(),
        })
    }
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
