//! A layer, whatever becomes of its files: what is damaged or gone is built again.

use std::{future::Future, pin::Pin, sync::Arc};

use camino::Utf8Path;
use tokio::sync::Mutex;

use super::{
    built::Built,
    kept::Origin,
    key::Key,
    logged::LoggedDisk,
    platform::Platform,
    recipe::LayerRecipe,
    stack::{BuildError, Stack},
};
use crate::{
    util::error::{Error, Result},
    verdict::ScenarioError,
    vm::{
        host::Host,
        qemu::{args::Uplink, machine::Machine},
    },
};

/// Boxed, for a layer asks its parent first.
type Building<'a> = Pin<Box<dyn Future<Output = Result<Arc<Built>, ScenarioError>> + Send + 'a>>;

/// How often a clone is started, or a layer made, on files that somebody removes meanwhile.
const ATTEMPTS: usize = 3;

/// A saved host. While it exists, no lab removes its files, and it notices if somebody else does.
#[derive(Debug)]
pub struct Layer {
    key: Key,
    recipe: LayerRecipe,
    stack: Stack,
    parent: Option<Arc<Layer>>,
    built: Mutex<Option<Arc<Built>>>,
}

impl Layer {
    pub(super) fn new(
        key: Key,
        recipe: LayerRecipe,
        stack: Stack,
        parent: Option<Arc<Layer>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            key,
            recipe,
            stack,
            parent,
            built: Mutex::default(),
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.recipe.name
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// What it stands on.
    #[must_use]
    pub fn platform(&self) -> &Platform {
        self.stack.platform()
    }

    /// A running clone: memory and disk are copied on write, nothing of it is kept.
    ///
    /// # Errors
    /// When QEMU does not take the state, or the host does not answer as the one that was saved.
    pub async fn host(&self, evidence: &Utf8Path) -> Result<Host> {
        let (host, _) = self.host_to_keep(None, evidence).await?;
        Ok(host)
    }

    /// The same, in the network of `uplink` if there is one, and what it was started on, with which it can be kept.
    ///
    /// # Errors
    /// As [`Self::host`].
    pub async fn host_to_keep(
        &self,
        uplink: Option<Uplink>,
        evidence: &Utf8Path,
    ) -> Result<(Host, Origin)> {
        let start = |built: Arc<Built>| {
            let uplink = uplink.clone();
            async move { built.host(uplink, evidence).await }
        };
        let (built, host) = self.started(start).await?;
        Ok((host, self.origin(built)))
    }

    /// The same, with a log of what it writes to its disk, from its first instant on.
    ///
    /// # Errors
    /// As [`Self::host`].
    pub async fn host_on_logged_disk(
        &self,
        evidence: &Utf8Path,
    ) -> Result<(Host, Origin, LoggedDisk)> {
        let start = |built: Arc<Built>| async move {
            let disk = LoggedDisk::over(Arc::clone(&built), &self.stack.scratch()).await?;
            let host = built.host_on(disk.disk().clone(), None, evidence).await?;
            Ok((host, disk))
        };
        let (built, (host, disk)) = self.started(start).await?;
        Ok((host, self.origin(built), disk))
    }

    /// A QEMU with a clone's command line that has loaded nothing yet: what any clone costs at least.
    ///
    /// # Errors
    /// When QEMU can't be started.
    pub async fn start(&self, evidence: &Utf8Path) -> Result<Machine> {
        let start = |built: Arc<Built>| async move { built.start(None, evidence).await };
        let (_, machine) = self.started(start).await?;
        Ok(machine)
    }

    fn origin(&self, built: Arc<Built>) -> Origin {
        let (layer, dir) = (self.recipe.name.clone(), self.stack.kept());
        Origin { built, layer, dir }
    }

    /// What `start` makes of the layer's files, and those files.
    ///
    /// # Errors
    /// Those of `start`, unless the files were changed meanwhile.
    async fn started<T, F>(&self, start: impl Fn(Arc<Built>) -> F) -> Result<(Arc<Built>, T)>
    where
        F: Future<Output = Result<T>> + Send,
    {
        let mut attempt = 1;
        loop {
            let built = self.built().await.map_err(error)?;
            match start(Arc::clone(&built)).await {
                Ok(started) => return Ok((built, started)),
                Err(error) => self.once_more(&built, &mut attempt, error)?,
            }
        }
    }

    /// What fails on files that were changed or removed meanwhile is no failure of a clone: it begins
    /// again, on a new build.
    ///
    /// # Errors
    /// `error`, if there was no such change.
    fn once_more(&self, built: &Built, attempt: &mut usize, error: Error) -> Result<()> {
        if *attempt == ATTEMPTS || built.holds() {
            return Err(error);
        }
        *attempt += 1;
        let why = format!("its files were changed under a clone: {error}");
        self.stack.tell(&self.recipe.name, why);
        Ok(())
    }

    /// Its files, built if they are not there or were touched since they were checked.
    pub(super) fn built(&self) -> Building<'_> {
        Box::pin(async {
            let mut current = self.built.lock().await;
            let mut attempt = 1;
            loop {
                let below = match &self.parent {
                    Some(parent) => Some(parent.built().await?),
                    None => None,
                };
                let id = |built: &Option<Arc<Built>>| built.as_ref().map(|built| built.id.clone());
                let same = |built: &Arc<Built>| id(&built.parent) == id(&below);
                if let Some(built) = current.as_ref().filter(|built| same(built)) {
                    if built.checked.holds() {
                        return Ok(Arc::clone(built));
                    }
                }
                // Nobody, this process included, is to be kept waiting by a build that is no good.
                *current = None;
                match self
                    .stack
                    .build_or_reuse(&self.key, &self.recipe, below)
                    .await
                {
                    Ok(built) => {
                        *current = Some(Arc::clone(&built));
                        return Ok(built);
                    }
                    Err(BuildError::Removed(_)) if attempt < ATTEMPTS => attempt += 1,
                    Err(BuildError::Removed(broken) | BuildError::ScenarioError(broken)) => {
                        return Err(broken);
                    }
                }
            }
        })
    }
}

/// A layer that can't be made again is the lab's failure, whatever it looks like.
fn error(broken: ScenarioError) -> Error {
    match broken {
        ScenarioError::Infrastructure(error) => error,
        ScenarioError::TimedOut(timeout) => timeout.into(),
        other => Error::Layer {
            name: "it could not be built again".into(),
            why: other.to_string(),
        },
    }
}
