//! What scenarios are run on, and how: given once, and handed down as it is.

use std::{fmt, num::NonZeroU32, sync::Arc};

use super::{
    known::Known,
    stability::Stability,
    target::{choice::ImageOptions, declarations::Declarations, programs::OwnPrograms},
    variable::{Setting, Variable, sets},
};
use crate::{
    image::Manifest,
    scenario::{Guarantee, Scenario, adapter::GivenTool, fixture::Fixture, lab::ITERATIONS},
    vm::qemu::accel::Choice,
};

/// What hosts are made of, and with which tool guests are deployed to them.
#[derive(Debug, Clone)]
pub struct Target {
    /// What hosts are provisioned with, and what is deployed.
    pub fixture: Fixture,
    /// What hosts boot from.
    pub image: ImageOptions,
    /// The Debian suite that guests are made of. The image's own if there is none.
    pub guest: Option<String>,
    /// The accelerator.
    pub accel: Choice,
    /// The deploy tool under test. Ours if there is none.
    pub tool: Option<GivenTool>,
    /// Our own tool and agent, where the command carries them along.
    pub own: OwnPrograms,
    /// What the tool promises.
    pub promises: Vec<Guarantee>,
    /// Container declarations in place of the fixture's own.
    pub host: Option<Declarations>,
    /// The variables of the suite.
    pub variables: Vec<&'static dyn Variable>,
    /// Those of them that hosts are put under, one setting each.
    pub settings: Vec<Arc<dyn Setting>>,
    /// The text that declares the scenarios, where they are not compiled in.
    pub declared_by: String,
}

impl Target {
    /// Hosts of the default image with `fixture`, and our own deploy tool.
    #[must_use]
    pub fn of(fixture: Fixture) -> Self {
        Self {
            fixture,
            image: ImageOptions::default(),
            guest: None,
            accel: Choice::Auto,
            tool: None,
            own: OwnPrograms::default(),
            promises: Guarantee::ALL.to_vec(),
            host: None,
            variables: vec![],
            settings: vec![],
            declared_by: String::new(),
        }
    }

    /// Why hosts of the image `manifest` can't be put under a setting, if there is such a setting.
    #[must_use]
    pub fn unfit_setting(&self, manifest: &Manifest) -> Option<String> {
        self.settings.iter().find_map(|setting| {
            let variable = setting.variable();
            let why = self.unfit(variable, manifest)?;
            Some(format!(
                "{} can't be put under a {variable} of the lab's: {why}",
                manifest.name
            ))
        })
    }

    /// Why `scenario` is not run on hosts of the image `manifest` because of what it brings, if it is not.
    #[must_use]
    pub fn unfit_to_bring(&self, manifest: &Manifest, scenario: &Scenario) -> Option<String> {
        scenario.brings.iter().find_map(|variable| {
            let sets = sets(variable, scenario)?;
            if self.settings.iter().any(|one| one.variable() == *variable) {
                return Some(sets);
            }
            let why = self.unfit(variable, manifest)?;
            Some(format!("{sets}: {why}"))
        })
    }

    fn unfit(&self, name: &str, manifest: &Manifest) -> Option<String> {
        let variable = self.variables.iter().find(|one| one.name() == name)?;
        variable.unfit(manifest)
    }

    /// The fixture, with the user's declarations where there are some.
    #[must_use]
    pub fn declared(&self) -> Fixture {
        let mut fixture = self.fixture.clone();
        if let Some(host) = &self.host {
            fixture.declare(host.text.as_bytes());
        }
        fixture
    }
}

/// Writes the command that runs just the scenario of a name again.
pub type RerunWriter = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// How scenarios are run, whatever they run on.
#[derive(Clone)]
pub struct RunPolicy {
    /// How often each scenario is run, each time on a fresh clone.
    pub repeat: NonZeroU32,
    /// How often scenarios that loop on their clone do so.
    pub iterations: NonZeroU32,
    /// How often each layer is tried to be made before its failure is a finding.
    pub attempts: NonZeroU32,
    /// How many starts of the containers under the settings are told apart.
    pub starts: NonZeroU32,
    /// The failures that are expected.
    pub known: Arc<Known>,
    /// What earlier runs say of whether a pass can be relied on.
    pub stability: Arc<Stability>,
    /// Whether the host of a scenario that does not pass is saved into its evidence folder, to be resumed.
    pub keep: bool,
    /// How one of them is run again.
    pub again: RerunWriter,
}

impl RunPolicy {
    /// Each scenario once; no failure is expected and no host kept.
    #[must_use]
    pub fn once(again: RerunWriter) -> Self {
        Self {
            repeat: NonZeroU32::MIN,
            iterations: ITERATIONS,
            attempts: NonZeroU32::MIN,
            starts: NonZeroU32::MIN,
            known: Arc::default(),
            stability: Arc::default(),
            keep: false,
            again,
        }
    }
}

impl fmt::Debug for RunPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunPolicy")
            .field("repeat", &self.repeat)
            .field("keep", &self.keep)
            .finish_non_exhaustive()
    }
}

/// What to run scenarios on, and how.
#[derive(Debug, Clone)]
pub struct RunConfig {
    /// On what.
    pub target: Target,
    /// How.
    pub policy: RunPolicy,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::fixture::{CONTAINERS, OWN_CONTAINERS};

    #[test]
    fn somebody_elses_declarations_can_import_the_labs() {
        let mut fixture = Fixture::provisioned();
        fixture.put_file(CONTAINERS, b"{ web = { }; }".to_vec());
        let mut target = Target::of(fixture);
        let content = |fixture: &Fixture, path: &str| {
            let mut files = fixture.files.iter();
            let found = files.find(|file| file.path == path);
            found.map(|file| file.content.clone())
        };
        let own = target.declared();
        let text = "import ./lab-containers.nix".to_owned();
        target.host = Some(Declarations {
            file: "mine.nix".into(),
            text: text.clone(),
        });
        let given = target.declared();
        assert_eq!(content(&given, CONTAINERS), Some(text.into_bytes()));
        assert_eq!(content(&given, OWN_CONTAINERS), content(&own, CONTAINERS));
        assert_eq!(content(&own, OWN_CONTAINERS), None);
    }
}
