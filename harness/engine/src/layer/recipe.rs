//! How a layer is made, as often as it has to be.

use std::{fmt, sync::Arc};

use camino::Utf8PathBuf;

use crate::{util::poll::BoxFuture, verdict::Outcome, vm::host::Host};

/// What is done to a host before it is saved as a layer, each time that the layer is built.
pub type Work = Arc<dyn Fn(Arc<Host>) -> BoxFuture<Outcome> + Send + Sync>;

/// How a layer is made.
#[derive(Clone)]
pub struct LayerRecipe {
    /// Its name.
    pub name: String,
    /// What its key is made of besides its parent.
    pub made_of: Vec<(String, String)>,
    /// What else its record should say it was built with, such as the tool; no part of its key.
    pub built_with: Vec<(String, String)>,
    /// The lab disk of this layer and its children; the parent's if none. It has to stay there as long
    /// as the layer is used, which may have to be built again.
    pub lab: Option<Utf8PathBuf>,
    /// What is done on the parent's clone, or on the host that has booted.
    pub work: Work,
}

impl fmt::Debug for LayerRecipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recipe")
            .field("name", &self.name)
            .field("made_of", &self.made_of)
            .finish_non_exhaustive()
    }
}
