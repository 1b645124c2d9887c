//! A cache of layers whose hosts are played by a script, for tests: the layers are built, saved, checked and cloned
//! by the code that does so for real ones.

use std::sync::Arc;

use camino::Utf8PathBuf;

use super::{list, platform, recipe::LayerRecipe, stack::Stack};
use crate::{
    util::poll::BoxFuture,
    verdict::{Outcome, event::Events},
    vm::{host::Host, qemu::scripted::Script},
};

/// A cache of its own, removed with this value.
#[derive(Debug)]
pub(crate) struct ScriptedCache {
    guard: tempfile::TempDir,
    /// What plays all of its hosts.
    pub(crate) script: Arc<Script>,
}

impl ScriptedCache {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self {
            guard: tempfile::tempdir().expect("a temporary folder"),
            script: Arc::default(),
        }
    }

    /// Its folder.
    pub(crate) fn dir(&self) -> Utf8PathBuf {
        Utf8PathBuf::from_path_buf(self.guard.path().to_owned()).expect("UTF-8")
    }

    /// A new folder for evidence.
    pub(crate) fn evidence(&self) -> Utf8PathBuf {
        let folder = tempfile::tempdir_in(self.guard.path()).expect("a folder");
        Utf8PathBuf::from_path_buf(folder.keep()).expect("UTF-8")
    }

    /// The layers in it, as another process of the lab would open them.
    pub(crate) fn stack(&self) -> Stack {
        let platform = platform::Platform {
            memory_mib: 1,
            script: Some(Arc::clone(&self.script)),
            ..platform::nowhere()
        };
        let evidence = self.evidence();
        Stack::open(&self.dir(), platform, Events::nobody(), &evidence).expect("a cache")
    }

    /// The names of the layers that it holds, `unfinished` for what is left of one.
    pub(crate) fn names(&self) -> Vec<String> {
        let found = list::list(&self.dir()).expect("readable");
        let mut names: Vec<_> = found.iter().map(|layer| layer.name().to_owned()).collect();
        names.sort();
        names
    }
}

/// A layer called `name` on which `work` is done.
pub(crate) fn recipe(
    name: &str,
    work: impl Fn(Arc<Host>) -> BoxFuture<Outcome> + Send + Sync + 'static,
) -> LayerRecipe {
    LayerRecipe {
        name: name.into(),
        made_of: vec![],
        built_with: vec![],
        lab: None,
        work: Arc::new(work),
    }
}
