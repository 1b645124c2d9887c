//! The image that hosts boot from: which it is to be, and having it.

use std::sync::atomic::{AtomicBool, Ordering};

use camino::{Utf8Path, Utf8PathBuf};

use super::flake;
use crate::{
    Error, Result,
    event::Events,
    image::{Cache, Image, ImageError, ImageEvent, Recipe, Refresh, Stop},
};

/// Where the image comes from.
#[derive(Debug, Clone)]
pub enum ImageChoice {
    /// A recipe's image: built if it is not in the cache.
    Recipe(Box<Recipe>),
    /// A folder with an `image.json`, made by anybody.
    Folder(Utf8PathBuf),
}

impl ImageChoice {
    /// What a person means by `image`: the default recipe if nothing, a recipe's name or file, an image's
    /// folder, or a flake reference. A flake is built right here, with another `nixpkgs` if there is one;
    /// what it made is linked from the folder of the `cache`.
    ///
    /// # Errors
    /// There is no such thing, or the flake does not build.
    pub fn read(image: Option<&str>, nixpkgs: Option<&str>, cache: &Utf8Path) -> Result<Self> {
        if let Some(folder) = image.map(Utf8Path::new).filter(|path| path.is_dir()) {
            return Ok(Self::Folder(folder.to_owned()));
        }
        if let Some(reference) = image.filter(|image| flake::is_meant(image)) {
            let folder = flake::build(reference, nixpkgs, &cache.join("flakes"))?;
            return Ok(Self::Folder(folder));
        }
        Ok(Self::Recipe(Box::new(recipe(image)?)))
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

pub(crate) fn error(error: impl std::fmt::Display) -> Error {
    Error::Image(error.to_string())
}
