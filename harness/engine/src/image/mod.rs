//! Images: what a VM boots from, described by a recipe, built once, looked up by the hash of its inputs.
//!
//! Everything here blocks; call it from a thread that may. Nothing is printed: progress goes to a callback.
//! Uses only `util`. What is on the disk before the first boot belongs here.
//!
//! ```no_run
//! use spawnlab::image::{Cache, Recipe, Refresh};
//!
//! let recipe = Recipe::embedded("trixie")?;
//! let image = Cache::open()?.image(&recipe, Refresh::No, &|event| eprintln!("{event}"))?;
//! println!("{} {}", image.dir(), image.manifest().cmdline);
//! # Ok::<(), spawnlab::image::ImageError>(())
//! ```

pub(crate) mod build;
mod cache;
mod embedded;
mod error;
mod event;
mod guest_base;
mod lock;
mod manifest;
pub(crate) mod nar;
mod nixos;
mod open;
mod recipe;
mod recipe_file;
mod recipe_id;
mod stop;
mod validate;

pub use cache::{Cache, Refresh};
pub use embedded::EMBEDDED_RECIPES;
pub use error::ImageError;
pub use event::ImageEvent;
#[cfg(test)]
pub(crate) use manifest::tests::sample as manifest_sample;
pub use manifest::{
    AgentPort, GuestBaseEntry, MANIFEST_FILE, MANIFEST_VERSION, Manifest, Os, Provenance, Release,
    RootDisk, Versions,
};
pub(crate) use nixos::switch;
pub use nixos::{NixosFile, NixosInputs, NixpkgsGiven};
pub use open::Image;
pub use recipe::{FileSpec, GuestBaseSpec, ImageKind, Recipe, RecipeSpec, Units};
pub use stop::{Stop, StopOnDrop};
