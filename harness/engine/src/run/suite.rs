//! Scenarios of a crate outside this repository, as the tests of `cargo test` and `cargo nextest`.
//!
//! A test target with `harness = false` says what hosts are made of:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use spawnlab::run::suite::Suite;
//!
//! fn main() -> ExitCode {
//!     Suite::of(spawnlab::scenarios!())
//!         .declaration("../../tooling/nix")
//!         .containers("containers.nix")
//!         .flake("guests")
//!         .deploy("page", "page")
//!         .main()
//! }
//! ```
//!
//! Each scenario is a test of its name. Each saboteur is an ignored one, `area::name+saboteur`: `-- --ignored`
//! proves them. There is no command line for the lab; the environment has its options:
//!
//! | variable | meaning |
//! | --- | --- |
//! | `SPAWNLAB_TOOL` | the deploy tool under test, in place of that of [`Suite::tool`] or the lab's own |
//! | `SPAWNLAB_PROMISES` | what it promises: names of [`Guarantee`]s with commas between, `all` or `none` |
//! | `SPAWNLAB_IMAGE` | a recipe's name or file, an image's folder, or a flake reference |
//! | `SPAWNLAB_NIXPKGS` | the nixpkgs of a NixOS image, with `+FILE.patch` behind it for each patch |
//! | `SPAWNLAB_HOST_MODULES` | modules for a NixOS image, with colons between |
//! | `SPAWNLAB_GUEST` | the suite that guests are made of |
//! | `SPAWNLAB_ACCEL` | `auto`, `kvm` or `tcg` |
//! | `SPAWNLAB_KEEP` | keep the hosts of what fails |
//! | `SPAWNLAB_REPORT` | the report's folder |

mod environment;
mod report;
mod session;
#[cfg(test)]
mod tests;

use std::{
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use camino::{Utf8Path, Utf8PathBuf};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tokio::{runtime::Runtime, sync::OnceCell};

use self::{environment::Environment, session::Session};
use crate::{
    run::{
        chosen::{Chosen, each, each_sabotaged},
        known::Known,
    },
    scenario::{
        Guarantee, Scenario,
        subject::{CONTAINERS, DECLARATION, Deployed, Subject},
    },
    util::error::{Error, Result},
};

/// Scenarios, and what they run on. Paths are relative to the crate's folder.
#[derive(Debug)]
pub struct Suite {
    scenarios: Vec<&'static Scenario>,
    subject: Subject,
    tool: Option<Utf8PathBuf>,
    promises: Option<Vec<Guarantee>>,
    known: Known,
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
            subject: Subject::provisioned(),
            tool: None,
            promises: None,
            known: Known::default(),
            wrong: None,
        }
    }

    /// With all that hosts are made of at once.
    #[must_use]
    pub fn subject(mut self, subject: Subject) -> Self {
        self.subject = subject;
        self
    }

    /// The folder with the program `apply`, which declares containers on a host: it is called with a file
    /// of declarations.
    #[must_use]
    pub fn declaration(self, folder: &str) -> Self {
        let folder = beside(folder);
        self.with(|subject| {
            if !folder.join("apply").is_file() {
                return Err(Error::Given(format!("there is no {folder}/apply")));
            }
            subject.put_folder(DECLARATION, &folder)
        })
    }

    /// The Nix file with the containers that hosts declare.
    #[must_use]
    pub fn containers(self, file: &str) -> Self {
        let file = beside(file);
        self.with(|subject| {
            subject.put_file(CONTAINERS, fs_err::read(&file)?);
            Ok(())
        })
    }

    /// The folder of the flake that is deployed: `nixosConfigurations.MACHINE` for each machine.
    #[must_use]
    pub fn flake(self, folder: &str) -> Self {
        let folder = beside(folder);
        self.with(|subject| subject.put_flake(&folder))
    }

    /// The layer `deployed` has `machine` of the flake in `container`, besides what was named before.
    #[must_use]
    pub fn deploy(self, machine: &str, container: &str) -> Self {
        self.with(|subject| {
            subject.deployed.push(Deployed {
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

    /// The failures that are expected.
    #[must_use]
    pub fn known(mut self, known: Known) -> Self {
        self.known = known;
        self
    }

    fn with(mut self, put: impl FnOnce(&mut Subject) -> Result<()>) -> Self {
        if self.wrong.is_none() {
            self.wrong = put(&mut self.subject).err();
        }
        self
    }

    /// What is wrong with it, if anything is: found out before anything is started.
    fn trouble(&self) -> Option<String> {
        if let Some(wrong) = &self.wrong {
            return Some(wrong.to_string());
        }
        let lacks = |place: &str| {
            let mut files = self.subject.files.iter();
            !files.any(|file| file.path.starts_with(place))
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
            (
                crate::scenario::subject::FLAKE,
                "flake to deploy: Suite::flake names its folder",
            ),
        ];
        if let Some((_, what)) = missing.into_iter().find(|(place, _)| lacks(place)) {
            return Some(format!("the suite has no {what}"));
        }
        let sabotaged = each_sabotaged(&self.scenarios);
        let stray = sabotaged.iter().find(|chosen| chosen.spared.is_none())?;
        let spares = stray.saboteur.map_or("", |saboteur| saboteur.spares);
        let name = stray.full_name();
        Some(format!(
            "{name} spares {spares:?}, which is no scenario of the suite"
        ))
    }

    /// Runs what the command line of a test target selects, and reports it.
    #[must_use]
    pub fn main(self) -> ExitCode {
        let args = Arguments::from_args();
        let bench = match Bench::new(self) {
            Ok(bench) => Arc::new(bench),
            Err(why) => {
                eprintln!("error: {why}");
                return ExitCode::FAILURE;
            }
        };
        let scenarios = &bench.suite.scenarios;
        let mut all = each(scenarios);
        all.extend(each_sabotaged(scenarios));
        let trial = |&chosen: &Chosen| {
            let bench = Arc::clone(&bench);
            Trial::ignorable_test(chosen.full_name(), move || bench.test(chosen))
                .with_ignored_flag(chosen.saboteur.is_some())
        };
        let trials: Vec<Trial> = all.iter().map(trial).collect();
        let selected = all.iter().zip(&trials).filter(|(_, trial)| {
            // Only those layers are made that something starts from.
            !args.is_filtered_out(trial) && !args.is_ignored(trial)
        });
        *lock(&bench.selected) = selected.map(|(chosen, _)| *chosen).collect();
        let conclusion = libtest_mimic::run(&args, trials);
        bench.finish();
        conclusion.exit_code()
    }
}

/// What all tests of this process share; nothing is opened before the first one runs.
struct Bench {
    runtime: Runtime,
    suite: Suite,
    environment: Environment,
    selected: Mutex<Vec<Chosen>>,
    session: OnceCell<std::result::Result<Session, String>>,
}

impl Bench {
    fn new(suite: Suite) -> std::result::Result<Self, String> {
        if let Some(why) = suite.trouble() {
            return Err(why);
        }
        Ok(Self {
            runtime: Runtime::new().map_err(|error| error.to_string())?,
            suite,
            environment: Environment::read(|name| std::env::var(name).ok())?,
            selected: Mutex::default(),
            session: OnceCell::new(),
        })
    }

    fn test(&self, chosen: Chosen) -> std::result::Result<Completion, Failed> {
        self.runtime.block_on(async {
            let selected = lock(&self.selected).clone();
            let session = self
                .session
                // What can't be opened is not tried again for every test.
                .get_or_init(async || {
                    Box::pin(Session::open(&self.suite, &self.environment, &selected)).await
                })
                .await
                .as_ref()?;
            session.test(chosen).await
        })
    }

    fn finish(&self) {
        if let Some(Ok(session)) = self.session.get() {
            let _in_runtime = self.runtime.enter();
            session.finish();
        }
    }
}

/// `path`, relative to the folder of the crate whose tests these are.
fn beside(path: &str) -> Utf8PathBuf {
    let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    Utf8Path::new(&folder).join(path)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
