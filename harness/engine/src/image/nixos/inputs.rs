//! What a NixOS host is made of, beside its recipe.

use camino::{Utf8Path, Utf8PathBuf};

use super::{
    files::FILES,
    given::NixpkgsGiven,
    host_module::{self, HostModule},
    tree::Tree,
};
use crate::{image::ImageError, util::digest};

/// A file of an archive that the build gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NixosFile {
    /// Its path there, relative.
    pub path: Utf8PathBuf,
    /// Whether it can be executed.
    pub executable: bool,
    /// What is in it.
    pub content: Vec<u8>,
}

/// A nixpkgs with its patches, modules of the user's, and files of the lab's: all that was read before the build, so
/// that the image's name says what is in it.
#[derive(Debug, Clone)]
pub struct NixosInputs {
    pub(crate) tree: Tree,
    pub(crate) patch: Option<Vec<u8>>,
    pub(crate) modules: Vec<HostModule>,
    /// By their paths in this repository.
    pub(crate) lab: Vec<NixosFile>,
    /// What the nixpkgs is called in reports.
    pub(crate) label: String,
}

impl NixosInputs {
    /// What can be known to be wrong without reading all of it. `root` is the tree's folder, where that is known yet.
    ///
    /// # Errors
    /// [`ImageError::Nixpkgs`], [`ImageError::HostModule`].
    pub fn look(
        given: &NixpkgsGiven,
        root: Option<&Utf8Path>,
        modules: &[Utf8PathBuf],
    ) -> Result<(), ImageError> {
        if let Some(root) = root {
            Tree::look(given, root)?;
        }
        given.patch()?;
        modules.iter().try_for_each(|file| HostModule::look(file))
    }

    /// Reads the nixpkgs in `root`, of which somebody may know the `commit`, and the user's `modules`. `files` are
    /// those of this repository that are not part of the recipe, by their paths there. Takes a second or two.
    ///
    /// # Errors
    /// [`ImageError::Nixpkgs`], [`ImageError::HostModule`].
    pub fn read(
        given: &NixpkgsGiven,
        (root, commit): (&Utf8Path, Option<&str>),
        modules: &[Utf8PathBuf],
        files: Vec<NixosFile>,
    ) -> Result<Self, ImageError> {
        Self::look(given, Some(root), modules)?;
        let modules = modules
            .iter()
            .map(|file| HostModule::read(file))
            .collect::<Result<_, _>>()?;
        let patch = given.patch()?;
        let tree = Tree::read(given, root, commit)?;
        let own = FILES.iter().map(|(path, bytes)| NixosFile {
            path: Utf8Path::new("vm-images/nixos").join(path),
            // A script is known by its first two bytes.
            executable: bytes.starts_with(b"#!"),
            content: bytes.to_vec(),
        });
        let mut lab: Vec<_> = own.chain(files).collect();
        lab.sort_by(|a, b| a.path.cmp(&b.path));
        let mut label = tree.label.clone();
        for patch in &given.patches {
            label.push_str(" + ");
            label.push_str(&plain(patch.file_name().unwrap_or_default()));
        }
        Ok(Self {
            tree,
            patch,
            modules,
            lab,
            label,
        })
    }

    /// The modules' paths in their archive.
    pub(crate) fn module_paths(&self) -> Vec<Utf8PathBuf> {
        host_module::paths(&self.modules)
    }

    /// The hash of all that the user gave and of the lab's files.
    pub(crate) fn hash(&self) -> String {
        let patch = self.patch.as_deref().unwrap_or_default();
        let names = self.module_paths();
        let names = names.iter().map(|path| path.as_str().as_bytes());
        let modules = self.modules.iter().flat_map(|module| &module.files);
        let files = modules.chain(&self.lab).flat_map(|file| {
            let mode: &[u8] = if file.executable { b"x" } else { b"-" };
            [file.path.as_str().as_bytes(), mode, &file.content]
        });
        let head = [self.tree.hash.as_bytes(), self.label.as_bytes(), patch];
        digest::of(head.into_iter().chain(names).chain(files))
    }
}

/// `name` with nothing in it that means something to a shell or a report.
fn plain(name: &str) -> String {
    let keep = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    name.chars()
        .map(|c| if keep(c) { c } else { '_' })
        .collect()
}
