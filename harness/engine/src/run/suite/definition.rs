//! A suite: scenarios, what they run on, and what is known of them.

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    run::{selection, target::programs::OwnPrograms, variable::Variable},
    scenario::{
        Guarantee, Scenario,
        adapter::Adapter,
        fixture::{CONTAINERS, DECLARATION, Deployed, FLAKE, Fixture},
    },
    util::error::{Error, Result},
};

/// Scenarios, and what they run on. Paths are relative to the crate's folder.
#[derive(Debug)]
pub struct Suite {
    pub(super) scenarios: Vec<&'static Scenario>,
    pub(super) fixture: Fixture,
    pub(super) tool: Option<Utf8PathBuf>,
    pub(super) adapters: Vec<&'static Adapter>,
    pub(super) own: OwnPrograms,
    pub(super) promises: Option<Vec<Guarantee>>,
    pub(super) known: &'static str,
    pub(super) matrix: &'static str,
    pub(super) variables: Vec<&'static dyn Variable>,
    pub(super) groups: Vec<(&'static str, &'static [&'static str])>,
    /// What was wrong first.
    wrong: Option<Error>,
}

impl Suite {
    /// These `scenarios`, on hosts that are provisioned and declare nothing. All that a crate declares are
    /// [`scenarios!`](crate::scenarios).
    #[must_use]
    pub fn of(scenarios: impl IntoIterator<Item = &'static Scenario>) -> Self {
        Self {
            scenarios: scenarios.into_iter().collect(),
            fixture: Fixture::provisioned(),
            tool: None,
            adapters: vec![],
            own: OwnPrograms::default(),
            promises: None,
            known: "",
            matrix: "",
            variables: vec![],
            groups: vec![],
            wrong: None,
        }
    }

    /// With all that hosts are made of at once.
    #[must_use]
    pub fn fixture(mut self, fixture: Fixture) -> Self {
        self.fixture = fixture;
        self
    }

    /// The folder with the program `apply`, which declares containers on a host: it is called with a file
    /// of declarations.
    #[must_use]
    pub fn declaration(self, folder: &str) -> Self {
        let folder = beside(folder);
        self.with(|fixture| {
            if !folder.join("apply").is_file() {
                return Err(Error::Given(format!("there is no {folder}/apply")));
            }
            fixture.put_folder(DECLARATION, &folder)
        })
    }

    /// The Nix file with the containers that hosts declare.
    #[must_use]
    pub fn containers(self, file: &str) -> Self {
        let file = beside(file);
        self.with(|fixture| {
            fixture.put_file(CONTAINERS, fs_err::read(&file)?);
            Ok(())
        })
    }

    /// The folder of the flake that is deployed: `nixosConfigurations.MACHINE` for each machine.
    #[must_use]
    pub fn flake(self, folder: &str) -> Self {
        let folder = beside(folder);
        self.with(|fixture| fixture.put_flake(&folder))
    }

    /// The layer `deployed` has `machine` of the flake in `container`, besides what was named before.
    #[must_use]
    pub fn deploy(self, machine: &str, container: &str) -> Self {
        self.with(|fixture| {
            fixture.deployed.push(Deployed {
                machine: machine.to_owned(),
                container: container.to_owned(),
            });
            Ok(())
        })
    }

    /// The deploy tool under test, unless the environment names one. Without either it is the lab's own.
    #[must_use]
    pub fn tool(mut self, program: &str, promises: &[Guarantee]) -> Self {
        self.tool = Some(beside(program));
        self.promises = Some(promises.to_vec());
        self
    }

    /// With what makes another command line one of a deploy tool: the user names it, and a checkout.
    #[must_use]
    pub fn adapter(mut self, adapter: &'static Adapter) -> Self {
        self.adapters.push(adapter);
        self
    }

    /// With our own tool and agent in the program itself. Without, both are looked for beside it, and where `ci/lab`
    /// builds them.
    #[must_use]
    pub fn own_programs(mut self, own: OwnPrograms) -> Self {
        self.own = own;
        self
    }

    /// The failures that are expected: the text of a list of known bugs, as `ci/known.toml` is one.
    #[must_use]
    pub fn known(mut self, rows: &'static str) -> Self {
        self.known = rows;
        self
    }

    /// The matrix that `qualify` covers: the text of one, as `ci/matrix.toml` is.
    #[must_use]
    pub fn matrix(mut self, text: &'static str) -> Self {
        self.matrix = text;
        self
    }

    /// What hosts can be put under, besides what was named before.
    #[must_use]
    pub fn variable(mut self, variable: &'static dyn Variable) -> Self {
        self.variables.push(variable);
        self
    }

    /// What `verify` takes as one filter: the `name` of a group, and the `filters` that it stands for.
    #[must_use]
    pub fn group(mut self, name: &'static str, filters: &'static [&'static str]) -> Self {
        self.groups.push((name, filters));
        self
    }

    fn with(mut self, put: impl FnOnce(&mut Fixture) -> Result<()>) -> Self {
        if self.wrong.is_none() {
            self.wrong = put(&mut self.fixture).err();
        }
        self
    }

    /// What is wrong with it, if anything is: found out before anything is started.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        if let Some(wrong) = &self.wrong {
            return Some(wrong.to_string());
        }
        let lacks = |destination: &str| {
            let mut files = self.fixture.files.iter();
            !files.any(|file| file.path.starts_with(destination))
        };
        let missing = [
            (
                DECLARATION,
                "program that declares containers: Suite::declaration names its folder",
            ),
            (
                CONTAINERS,
                "containers: Suite::containers names the file of them",
            ),
            (FLAKE, "flake to deploy: Suite::flake names its folder"),
        ];
        if let Some((_, what)) = missing
            .into_iter()
            .find(|(destination, _)| lacks(destination))
        {
            return Some(format!("the suite has no {what}"));
        }
        let sabotaged = selection::to_prove(&self.scenarios);
        let stray = sabotaged.iter().find(|one| one.spared.is_none())?;
        let spares = stray.saboteur.map_or("", |saboteur| saboteur.spares);
        let name = stray.full_name();
        Some(format!(
            "{name} spares {spares:?}, which is no scenario of the suite"
        ))
    }
}

/// `path`, relative to the folder of the crate whose tests these are.
fn beside(path: &str) -> Utf8PathBuf {
    let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    Utf8Path::new(&folder).join(path)
}
