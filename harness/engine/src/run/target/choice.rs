//! The image that hosts boot from: which it is to be, and having it.

use std::sync::atomic::{AtomicBool, Ordering};

use camino::{Utf8Path, Utf8PathBuf};

use super::flake;
use crate::{
    Error, Result,
    image::{
        Cache, Image, ImageError, ImageEvent, ImageKind, NixosFile, NixosInputs, NixpkgsGiven,
        Recipe, Refresh, Stop, switch,
    },
    scenario::fixture::Fixture,
    verdict::event::Events,
};

/// The module that leaves the lab's own rules out of a NixOS host's firewall.
const OWN_FIREWALL: &str = "debian/own-firewall.nix";

/// What hosts are to be made of, as a person says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageOptions {
    /// A recipe's name or file, an image's folder, or a flake reference; the default recipe if there is none.
    pub image: Option<String>,
    /// The nixpkgs: of a NixOS recipe `TREE[+FILE.patch]...`, of a flake what its input is to be.
    pub nixpkgs: Option<String>,
    /// Modules for the hosts of a NixOS recipe.
    pub host_modules: Vec<Utf8PathBuf>,
    /// The program that switches the hosts and guests of a NixOS recipe: nixpkgs' own `switch-to-configuration`, built
    /// elsewhere; the lab's if there is none.
    pub switch: Option<Utf8PathBuf>,
    /// Whether the hosts' own firewall is judged: those of a NixOS recipe get no rules of the lab's, and containers that it
    /// refuses a lease are settled all the same.
    pub own_firewall: bool,
}

/// What of [`ImageOptions`] an image is.
enum Meant<'a> {
    Folder(&'a Utf8Path),
    Flake(&'a str),
    Recipe(Box<Recipe>),
}

impl ImageOptions {
    fn meant(&self) -> Result<Meant<'_>> {
        let image = self.image.as_deref();
        if let Some(folder) = image.map(Utf8Path::new).filter(|path| path.is_dir()) {
            return Ok(Meant::Folder(folder));
        }
        if let Some(reference) = image.filter(|image| flake::is_meant(image)) {
            return Ok(Meant::Flake(reference));
        }
        Ok(Meant::Recipe(Box::new(recipe(image)?)))
    }

    /// Whether hosts are made of a nixpkgs that has to be named.
    #[must_use]
    pub fn takes_nixpkgs(&self) -> bool {
        matches!(self.meant(), Ok(Meant::Recipe(recipe)) if recipe.spec().kind == ImageKind::Nixos)
    }

    /// What can be known to be wrong before anything is read, built or written.
    ///
    /// # Errors
    /// [`Error::Given`]: the options do not go together, or what they name is not there. [`Error::Image`]: there is no
    /// such recipe.
    pub fn check(&self) -> Result<()> {
        let meant = self.meant()?;
        let recipe = match meant {
            Meant::Recipe(recipe) => recipe,
            Meant::Folder(folder) => {
                return self.refuse_all(&format!("{folder} is the folder of a built image"));
            }
            Meant::Flake(_) if self.adds_nothing() => return Ok(()),
            Meant::Flake(reference) => {
                return Err(Error::Given(format!(
                    "image {reference}: its modules are those of its flake; --host-module and --switch are for --image nixos"
                )));
            }
        };
        let Some(nixpkgs) = &self.nixpkgs else {
            return match recipe.spec().kind {
                ImageKind::Debian if self.adds_nothing() => Ok(()),
                ImageKind::Debian => Err(error(ImageError::NotNixos {
                    image: recipe.spec().name.clone(),
                })),
                ImageKind::Nixos => Err(error(ImageError::NoNixpkgs {
                    image: recipe.spec().name.clone(),
                })),
            };
        };
        if recipe.spec().kind == ImageKind::Debian {
            return Err(error(ImageError::NotNixos {
                image: recipe.spec().name.clone(),
            }));
        }
        let given = NixpkgsGiven::read(nixpkgs);
        let root = (!flake::is_meant(&given.tree)).then(|| Utf8Path::new(&given.tree));
        if root.is_none() && !flake::nix_is_there() {
            return Err(error(given.wrong(flake::NO_NIX)));
        }
        NixosInputs::look(&given, root, &self.host_modules).map_err(error)?;
        self.switch.as_deref().map_or(Ok(()), |file| {
            switch::read(file).map(drop).map_err(Error::Given)
        })
    }

    /// Whether hosts have nothing of the user's beside a nixpkgs.
    fn adds_nothing(&self) -> bool {
        self.host_modules.is_empty() && self.switch.is_none()
    }

    fn refuse_all(&self, why: &str) -> Result<()> {
        if self.nixpkgs.is_none() && self.adds_nothing() {
            return Ok(());
        }
        Err(Error::Given(format!(
            "image: {why}, and takes neither a nixpkgs nor modules; --image nixos does"
        )))
    }

    /// What a NixOS host of `fixture` is made of, beside its recipe: all of it is read.
    fn inputs(&self, nixpkgs: &str, fixture: &Fixture) -> Result<NixosInputs> {
        let given = NixpkgsGiven::read(nixpkgs);
        let (root, commit) = if flake::is_meant(&given.tree) {
            flake::source(&given.tree)?
        } else {
            (Utf8PathBuf::from(&given.tree), None)
        };
        let files = fixture.files.iter().filter_map(|file| {
            let path = in_the_repository(&file.path)?;
            Some(NixosFile {
                path,
                executable: file.executable,
                content: file.content.clone(),
            })
        });
        let tree = (root.as_path(), commit.as_deref());
        let switch = self.switch.as_deref().map(switch::read).transpose();
        let files = files.chain(switch.map_err(Error::Given)?).collect();
        NixosInputs::read(&given, tree, &self.host_modules, files).map_err(error)
    }
}

/// Where what lies at `path` on the lab disk lies in this repository; none for what NixOS hosts do not need.
fn in_the_repository(path: &Utf8Path) -> Option<Utf8PathBuf> {
    if let Ok(name) = path.strip_prefix(crate::scenario::fixture::DECLARATION) {
        return Some(Utf8Path::new("tooling/nix").join(name));
    }
    let is_declaration = path.extension() == Some("nix") && path.components().count() == 1;
    is_declaration.then(|| Utf8Path::new("scenarios/lab").join(path))
}

/// Where the image comes from.
#[derive(Debug, Clone)]
pub enum ImageChoice {
    /// A recipe's image: built if it is not in the cache.
    Recipe(Box<Recipe>),
    /// A folder with an `image.json`, made by anybody.
    Folder(Utf8PathBuf),
}

impl ImageChoice {
    /// What a person means by `options`. A flake is built right here, and what it made is linked from the folder of the
    /// `cache`. A nixpkgs is read right here, which takes a second or two; NixOS hosts declare the containers of
    /// `fixture`.
    ///
    /// # Errors
    /// There is no such thing, the flake does not build, or the nixpkgs can't be read.
    pub fn read(options: &ImageOptions, fixture: &Fixture, cache: &Utf8Path) -> Result<Self> {
        options.check()?;
        let recipe = match options.meant()? {
            Meant::Folder(folder) => return Ok(Self::Folder(folder.to_owned())),
            Meant::Flake(reference) => {
                let nixpkgs = options.nixpkgs.as_deref();
                let folder = flake::build(reference, nixpkgs, &cache.join("flakes"))?;
                return Ok(Self::Folder(folder));
            }
            Meant::Recipe(recipe) => *recipe,
        };
        let Some(nixpkgs) = &options.nixpkgs else {
            return Ok(Self::Recipe(Box::new(recipe)));
        };
        let recipe = if options.own_firewall {
            recipe.with_nixos_module(OWN_FIREWALL)
        } else {
            recipe
        };
        let inputs = options.inputs(nixpkgs, fixture)?;
        let recipe = recipe.with_nixos(inputs).map_err(error)?;
        Ok(Self::Recipe(Box::new(recipe)))
    }

    /// The image.
    ///
    /// # Errors
    /// When it can't be built, read, or is damaged.
    pub async fn image(&self, cache: &Cache, events: &Events) -> Result<Image> {
        match self {
            Self::Folder(dir) => Image::open(dir).map_err(error),
            Self::Recipe(recipe) => build(recipe, Refresh::No, cache, events).await,
        }
    }
}

/// The recipe with this name or in this file; the default one if there is none.
///
/// # Errors
/// There is none, or it is wrong.
pub fn recipe(recipe: Option<&str>) -> Result<Recipe> {
    let name = recipe.unwrap_or("trixie");
    let read = if name.ends_with(".toml") || name.contains('/') {
        Recipe::from_path(name)
    } else {
        Recipe::embedded(name)
    };
    read.map_err(error)
}

/// Builds the image of `recipe` unless the cache has it.
///
/// # Errors
/// When the build fails.
pub async fn build(
    recipe: &Recipe,
    refresh: Refresh,
    cache: &Cache,
    events: &Events,
) -> Result<Image> {
    let step = format!("image {}", recipe.spec().name);
    let stop = Stop::default();
    // Whoever is no longer waited for must not go on building.
    let _stop = stop.on_drop();
    let cache = cache.clone().stopped_by(&stop);
    let (recipe, progress) = (recipe.clone(), events.clone());
    let line = step.clone();
    events
        .step(&step, async move || {
            let build = move || {
                let built = AtomicBool::new(false);
                let tell = |event: ImageEvent| {
                    built.store(true, Ordering::Relaxed);
                    progress.progress(&line, event.to_string());
                };
                let image = cache.image(&recipe, refresh, &tell)?;
                let how = if built.into_inner() {
                    "built"
                } else {
                    "reused"
                };
                Ok::<_, ImageError>((image, how.to_owned()))
            };
            tokio::task::spawn_blocking(build)
                .await
                .map_err(|why| Error::Image(why.to_string()))?
                .map_err(error)
        })
        .await
}

/// What the user gave and is wrong is told from what the lab can't do.
pub(crate) fn error(error: ImageError) -> Error {
    if error.is_given() {
        Error::Given(error.to_string())
    } else {
        Error::Image(error.to_string())
    }
}

#[cfg(test)]
#[path = "choice_tests.rs"]
mod tests;
