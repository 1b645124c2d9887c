//! What an image is to be made of: a TOML file and the files that it names.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::{
    embedded,
    error::{Doing as _, ImageError},
    nixos::NixosInputs,
    recipe_file::{self, Read},
    recipe_id, validate,
};

/// What a recipe says, with what it has of those that it extends. Every key is explained in `vm-images/README.md`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecipeSpec {
    /// What its hosts are.
    #[serde(skip_serializing_if = "ImageKind::is_debian")]
    pub kind: ImageKind,
    /// The image's name: lower-case letters, digits, `-` and `.`.
    pub name: String,
    /// Debian's suite: `trixie`, `bookworm`, `sid`.
    pub suite: String,
    /// mmdebstrap's variant.
    pub variant: String,
    /// Archives, as mmdebstrap takes them; none means mmdebstrap's own default for the suite.
    pub mirrors: Vec<String>,
    /// Lines of apt configuration for the build.
    pub apt_options: Vec<String>,
    /// Packages of the host. A NixOS host has those that its programs come from beside them.
    pub packages: Vec<String>,
    /// dpkg path patterns that are never unpacked.
    pub excludes: Vec<String>,
    /// The root disk's size in MiB; the file is sparse.
    pub disk_mib: u32,
    /// Memory that a host needs, in MiB.
    pub memory_mib: u32,
    /// What provisions a booted host.
    pub provision: Utf8PathBuf,
    /// Kernel modules that the initrd loads, in this order; built-in ones are left out.
    pub modules: Vec<String>,
    /// The kernel's command line, word by word.
    pub cmdline: Vec<String>,
    /// What becomes of systemd's units.
    pub units: Units,
    /// Files of the host, by absolute path.
    pub files: BTreeMap<Utf8PathBuf, FileSpec>,
    /// Trees in the host's Nix store; the first is the default.
    pub guest_base: Vec<GuestBaseSpec>,
    /// Modules of a NixOS host, relative to `vm-images/nixos`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nixos_modules: Vec<Utf8PathBuf>,
}

/// What the hosts of a recipe are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageKind {
    /// Debian, as its packages make it.
    #[default]
    Debian,
    /// NixOS, as the modules of a nixpkgs make it, on programs of Debian.
    Nixos,
}

impl ImageKind {
    fn is_debian(&self) -> bool {
        *self == Self::Debian
    }
}

/// Units to enable, disable or mask in the image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Units {
    /// `systemctl enable`.
    pub enable: Vec<String>,
    /// `systemctl disable`.
    pub disable: Vec<String>,
    /// `systemctl mask`.
    pub mask: Vec<String>,
}

/// One file of the host: exactly one of `text`, `from` and `link`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSpec {
    /// Its content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The file with its content, relative to the recipe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Utf8PathBuf>,
    /// What it is a symbolic link to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Utf8PathBuf>,
    /// Its permissions, octal.
    #[serde(default = "plain_mode")]
    pub mode: String,
}

/// A small Debian that guests are made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GuestBaseSpec {
    /// Debian's suite.
    pub suite: String,
    /// mmdebstrap's variant.
    pub variant: String,
    /// As in the recipe.
    pub mirrors: Vec<String>,
    /// As in the recipe.
    pub apt_options: Vec<String>,
    /// Packages.
    pub packages: Vec<String>,
    /// The static busybox, absolute in the base.
    pub busybox: Utf8PathBuf,
    /// dpkg path patterns that are never unpacked.
    pub excludes: Vec<String>,
    /// Top-level names that are kept of the finished tree.
    pub keep: Vec<String>,
    /// Shell patterns that are removed of what is kept.
    pub remove: Vec<String>,
}

impl GuestBaseSpec {
    /// `guest-base-SUITE`, its name in the store.
    #[must_use]
    pub fn name(&self) -> String {
        format!("guest-base-{}", self.suite)
    }
}

/// A recipe that was read, with the files that it names, and found to make sense.
#[derive(Debug, Clone)]
pub struct Recipe {
    pub(crate) spec: RecipeSpec,
    pub(crate) files: BTreeMap<Utf8PathBuf, FileContent>,
    pub(crate) nixos: Option<NixosInputs>,
    id: String,
}

/// What becomes a file of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) enum FileContent {
    Bytes { mode: u32, bytes: Vec<u8> },
    Link(Utf8PathBuf),
}

impl Recipe {
    /// Reads the recipe at `path`.
    ///
    /// # Errors
    /// [`ImageError::Io`] if it, or a file that it names, cannot be read; [`ImageError::Recipe`] if it does not make sense.
    pub fn from_path(path: impl AsRef<Utf8Path>) -> Result<Self, ImageError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).doing("read", path)?;
        let folder = path.parent().unwrap_or(Utf8Path::new("."));
        Self::parse(path.as_str(), &text, &|name| {
            let file = folder.join(name);
            std::fs::read(&file).doing("read", file)
        })
    }

    /// One of the recipes that are part of the program: [`super::EMBEDDED_RECIPES`].
    ///
    /// # Errors
    /// [`ImageError::Recipe`] for any other name.
    pub fn embedded(name: &str) -> Result<Self, ImageError> {
        let text = embedded::recipe(name).map_err(|why| ImageError::Recipe {
            origin: name.to_owned(),
            why,
        })?;
        Self::parse(name, text, &embedded::file)
    }

    /// `origin` is for messages; `read` gives the content of a file that the recipe names.
    pub(crate) fn parse(origin: &str, text: &str, read: Read<'_>) -> Result<Self, ImageError> {
        let (spec, files) = recipe_file::read(origin, text, read)?;
        validate::recipe(&spec).map_err(|why| ImageError::Recipe {
            origin: origin.to_owned(),
            why,
        })?;
        let id = recipe_id::of(&spec, &files, None);
        Ok(Self {
            spec,
            files,
            nixos: None,
            id,
        })
    }

    /// The same with a nixpkgs and all else that a NixOS host is made of.
    ///
    /// # Errors
    /// [`ImageError::NotNixos`] for a recipe whose hosts are no NixOS.
    pub fn with_nixos(mut self, inputs: NixosInputs) -> Result<Self, ImageError> {
        if self.spec.kind != ImageKind::Nixos {
            return Err(ImageError::NotNixos {
                image: self.spec.name,
            });
        }
        self.id = recipe_id::of(&self.spec, &self.files, Some(&inputs));
        self.nixos = Some(inputs);
        Ok(self)
    }

    /// The same with one module more of `vm-images/nixos` in its NixOS hosts. Comes before [`Self::with_nixos`].
    #[must_use]
    pub fn with_nixos_module(mut self, module: &str) -> Self {
        self.spec.nixos_modules.push(module.into());
        self.id = recipe_id::of(&self.spec, &self.files, self.nixos.as_ref());
        self
    }

    /// The recipe, with what it has of those that it extends.
    #[must_use]
    pub fn spec(&self) -> &RecipeSpec {
        &self.spec
    }

    /// The hash of everything that goes into the build: 64 hex digits.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The image's folder in a cache: its name and the first 16 digits of the hash.
    #[must_use]
    pub fn folder(&self) -> String {
        format!("{}-{}", self.spec.name, &self.id[..16])
    }
}

fn plain_mode() -> String {
    "0644".to_owned()
}

#[cfg(test)]
#[path = "recipe_tests.rs"]
mod tests;
