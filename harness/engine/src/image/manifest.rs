//! `image.json`: the contract between whatever builds an image and the lab that boots it.
//!
//! The schema is documented in `vm-images/README.md`.

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::error::{Doing as _, ImageError};

/// The file in an image's folder that makes it an image.
pub const MANIFEST_FILE: &str = "image.json";

/// The version that this program reads and writes.
pub const MANIFEST_VERSION: u64 = 1;

/// File systems on which the kernel refuses the `rootidmap` of a container's binds.
const UNMAPPABLE: [&str; 4] = ["9p", "overlay", "overlayfs", "virtiofs"];

/// An image's description. All paths are relative to the image's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`MANIFEST_VERSION`].
    pub version: u64,
    /// The recipe's name.
    pub name: String,
    /// What identifies this build: 64 hex digits, different for every build. Part of every layer's key.
    pub id: String,
    /// The hash of everything that the build was told: 64 hex digits.
    pub recipe: String,
    /// The processor, as `uname -m` says it: `x86_64`.
    pub arch: String,
    /// The kernel, in a form that QEMU's `-kernel` takes.
    pub kernel: Utf8PathBuf,
    /// The initial RAM disk.
    pub initrd: Utf8PathBuf,
    /// The kernel's command line.
    pub cmdline: String,
    /// The disks, in the order of attaching. Never written to: boot on an overlay.
    pub disks: Vec<RootDisk>,
    /// How the lab talks to the VM.
    pub agent: AgentPort,
    /// The operating system.
    pub os: Os,
    /// What scenarios may depend on.
    pub versions: Versions,
    /// The file system of `/nix/store`: idmapped mounts depend on it.
    pub store_filesystem: String,
    /// Memory that the host needs with its containers, in MiB.
    pub memory_mib: u32,
    /// What the lab runs as root on the booted host, once, with the lab disk mounted at `/lab`.
    pub provision: Utf8PathBuf,
    /// The trees in its Nix store that guests are made of; the first is the default.
    pub guest_bases: Vec<GuestBaseEntry>,
    /// Where it came from.
    pub provenance: Provenance,
}

/// One disk of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootDisk {
    /// The file.
    pub file: Utf8PathBuf,
    /// `raw` or `qcow2`.
    pub format: String,
    /// The serial number that the VM must see: the initrd finds its root disk by it.
    pub serial: String,
}

/// The control channel of a VM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentPort {
    /// The virtio-serial port's name.
    pub port: String,
    /// What is spoken there: `qemu-ga`.
    pub protocol: String,
}

/// An operating system, in the words of its `os-release`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Os {
    /// `ID`: `debian`, `nixos`.
    pub id: String,
    /// `VERSION_ID`, or the suite where there is none.
    pub version: String,
    /// `PRETTY_NAME`.
    pub pretty: String,
}

/// Versions as the packages state them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Versions {
    /// systemd's.
    pub systemd: String,
    /// Nix'.
    pub nix: String,
    /// `uname -r`.
    pub kernel: String,
}

/// A guest base in the image's Nix store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuestBaseEntry {
    /// `guest-base-SUITE`.
    pub name: String,
    /// The store path.
    pub path: Utf8PathBuf,
    /// The recursive SHA-256, as `sha256-BASE64`.
    pub hash: String,
    /// Its static busybox, relative to the store path.
    pub busybox: Utf8PathBuf,
    /// The suite that it was made of.
    pub suite: String,
}

/// Where an image came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The signed Release files that vouched for the packages.
    pub releases: Vec<Release>,
    /// RFC 3339, UTC.
    pub built_at: String,
    /// A table of tree, package and version, separated by tabs.
    pub packages: Utf8PathBuf,
}

/// One Release file of an archive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The file's name in apt's lists: the archive's address and suite, joined by underscores.
    pub file: String,
    /// Its SHA-256.
    pub sha256: String,
}

impl Manifest {
    /// Reads `image.json` in `dir`. Whether its files are there is [`super::Image::open`]'s concern.
    ///
    /// # Errors
    /// [`ImageError::Missing`], [`ImageError::NoManifest`], [`ImageError::UnknownVersion`],
    /// [`ImageError::BadManifest`], or [`ImageError::Io`] if it cannot be read.
    pub fn read(dir: &Utf8Path) -> Result<Self, ImageError> {
        let path = dir.join(MANIFEST_FILE);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(if dir.is_dir() {
                    ImageError::NoManifest {
                        dir: dir.to_owned(),
                    }
                } else {
                    ImageError::Missing {
                        dir: dir.to_owned(),
                    }
                });
            }
            Err(error) => return Err(error).doing("read", path),
        };
        Self::parse(&path, &text)
    }

    /// `path` is for the messages only.
    pub(crate) fn parse(path: &Utf8Path, text: &[u8]) -> Result<Self, ImageError> {
        let bad = |why: String| ImageError::BadManifest {
            path: path.to_owned(),
            why,
        };
        // The version first: of another version, anything else may look different.
        let value: serde_json::Value =
            serde_json::from_slice(text).map_err(|error| bad(error.to_string()))?;
        let version = value.get("version").and_then(serde_json::Value::as_u64);
        match version {
            Some(MANIFEST_VERSION) => {}
            Some(found) => {
                return Err(ImageError::UnknownVersion {
                    path: path.to_owned(),
                    found,
                });
            }
            None => return Err(bad("it has no version number".to_owned())),
        }
        let manifest: Self =
            serde_json::from_value(value).map_err(|error| bad(error.to_string()))?;
        if manifest.disks.is_empty() {
            return Err(bad("it has no disks".to_owned()));
        }
        if manifest.id.len() < 16 || !manifest.id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(bad(format!("its id is not a hash: '{}'", manifest.id)));
        }
        if UNMAPPABLE.contains(&manifest.store_filesystem.as_str()) {
            return Err(bad(format!(
                "/nix/store is on {}, which takes no idmapped mounts: containers could not start; \
                 build the image with the store on ext4, without an overlay",
                manifest.store_filesystem
            )));
        }
        for file in manifest.files().map(|(_, file)| file) {
            if file.is_absolute() || file.components().any(|part| part.as_str() == "..") {
                return Err(bad(format!("{file} leads out of the image's folder")));
            }
        }
        Ok(manifest)
    }

    /// Every file that the VM needs, with what it is.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&'static str, &Utf8PathBuf)> {
        [("kernel", &self.kernel), ("initrd", &self.initrd)]
            .into_iter()
            .chain(self.disks.iter().map(|disk| ("disk", &disk.file)))
    }
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
pub(crate) mod tests;
