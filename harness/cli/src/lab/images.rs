//! Images, as `spawnlab image` builds and shows them.

use camino::Utf8PathBuf;
use serde::Serialize;
use spawnlab::{
    image::Refresh,
    run::session::cache,
    run::target::choice::{self, ImageChoice, ImageOptions},
    scenario::fixture::Fixture,
    util::error::{Error, Result},
    verdict::event::Events,
};

/// An image, as `spawnlab image` shows it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ImageSummary {
    /// The recipe's name.
    pub name: String,
    /// The hash of all that went in.
    pub id: String,
    /// Its folder.
    pub folder: Utf8PathBuf,
    /// Its `image.json`.
    pub manifest: serde_json::Value,
}

/// Builds the image that `options` mean, again if `refresh`, and returns it.
///
/// # Errors
/// It can't be read or built.
pub(crate) async fn build_image(
    fixture: &Fixture,
    options: &ImageOptions,
    refresh: bool,
    events: &Events,
) -> Result<ImageSummary> {
    let cache = cache()?;
    let image = match ImageChoice::read(options, fixture, cache.root())? {
        ImageChoice::Recipe(recipe) => {
            let refresh = if refresh { Refresh::Yes } else { Refresh::No };
            choice::build(&recipe, refresh, &cache, events).await?
        }
        folder @ ImageChoice::Folder(_) => folder.image(&cache, events).await?,
    };
    shown(&image)
}

/// The images that were built.
///
/// # Errors
/// The cache can't be read.
pub(crate) async fn images() -> Result<Vec<ImageSummary>> {
    let folder = cache()?.root().join("images");
    let mut images = Vec::new();
    for entry in folder.read_dir_utf8()? {
        let path = entry?.into_path();
        // Locks and what a build is still working on start with a dot.
        let hidden = path.file_name().is_none_or(|name| name.starts_with('.'));
        if hidden || !path.is_dir() {
            continue;
        }
        let image = spawnlab::image::Image::open(&path);
        images.push(shown(
            &image.map_err(|error| Error::Image(error.to_string()))?,
        )?);
    }
    images.sort_by(|a, b| a.folder.cmp(&b.folder));
    Ok(images)
}

fn shown(image: &spawnlab::image::Image) -> Result<ImageSummary> {
    Ok(ImageSummary {
        name: image.manifest().name.clone(),
        id: image.id().to_owned(),
        folder: image.dir().to_owned(),
        manifest: serde_json::to_value(image.manifest()).map_err(std::io::Error::from)?,
    })
}
