//! Where scenarios come from: the lab's own, or a file that declares some.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use spawnlab::{
    image::NixpkgsGiven,
    run::known::Known,
    scenario::{
        Scenario,
        declared::{self, DeclaredTarget, Located, Problem},
        fixture::{CONTAINERS, Deployed},
    },
};

use crate::{
    args::{LabArgs, Promises},
    lab::{rerun::Rerun, tool},
    output::error::CliError,
};
use spawnlab::run::{config::RunConfig, suite::Suite};

/// The source, as the command line names it.
#[derive(Debug, Clone, Args)]
pub struct SourceArgs {
    /// The scenarios of this file, such as spawnlab.toml
    ///
    /// Instead of the lab's own. docs/spawnlab-toml.md explains such files.
    #[arg(long, value_name = "FILE")]
    pub file: Option<Utf8PathBuf>,
}

/// Scenarios, and what they run on.
#[derive(Debug)]
pub struct Source {
    scenarios: Vec<&'static Scenario>,
    file: Option<OpenFile>,
}

#[derive(Debug)]
struct OpenFile {
    path: Utf8PathBuf,
    text: String,
    /// That, with what is in the files that it names.
    declared_by: String,
    target: DeclaredTarget,
}

impl SourceArgs {
    /// Reads the file, if there is one.
    ///
    /// # Errors
    /// It can't be read, or something in it is wrong.
    pub fn open(&self, suite: &Suite) -> Result<Source, CliError> {
        let Some(path) = &self.file else {
            return Ok(Source {
                scenarios: suite.scenarios().to_vec(),
                file: None,
            });
        };
        let bytes = fs_err::read(path).map_err(|error| {
            CliError::usage(format!("file {path}"), error)
                .hint("--file takes a file that declares scenarios, such as spawnlab.toml")
        })?;
        let mut file = declared::parse(path.as_str(), &bytes).map_err(|why| cli_error(&why))?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let folder = path.parent().unwrap_or("".into());
        declared::read_files(&mut file, folder, (path.as_str(), &text))
            .map_err(|why| cli_error(&why))?;
        let target = std::mem::take(&mut file.target);
        let declared_by = format!("{text}\n{:?}", file.scenarios);
        Ok(Source {
            scenarios: declared::scenarios(file).iter().collect(),
            file: Some(OpenFile {
                path: path.clone(),
                text,
                declared_by,
                target,
            }),
        })
    }
}

impl Source {
    /// All scenarios.
    #[must_use]
    pub fn scenarios(&self) -> &[&'static Scenario] {
        &self.scenarios
    }

    /// What scenarios are run on, and how, with what the file says where `lab` is silent.
    ///
    /// # Errors
    /// Those of [`LabArgs::config`], and what the file names and is not there.
    pub fn config(
        &self,
        suite: &Suite,
        lab: &LabArgs,
        again: Rerun,
    ) -> Result<RunConfig, CliError> {
        match &self.file {
            None => lab.config(suite, again),
            Some(file) => file.config(suite, lab, again),
        }
    }
}

impl OpenFile {
    fn config(&self, suite: &Suite, lab: &LabArgs, again: Rerun) -> Result<RunConfig, CliError> {
        let target = &self.target;
        let mut lab = lab.clone();
        if let (Some(tool), None) = (&target.tool, &lab.tool) {
            let path = self.beside(&tool.value);
            tool::checked(&path, suite).map_err(|why| self.wrong(tool, why.why(), tool::HINT))?;
            lab.tool = Some(path);
        }
        if lab.promises.is_none() {
            lab.promises = target.promises.clone().map(Promises);
        }
        if let (Some(image), None) = (&target.image, &lab.image) {
            lab.image = Some(self.image(image));
        }
        lab.nixos = lab.nixos.with_environment(lab.image.as_deref());
        if let (Some(nixpkgs), None) = (&target.nixpkgs, &lab.nixos.nixpkgs) {
            lab.nixos.nixpkgs = Some(self.nixpkgs(&nixpkgs.value));
        }
        if lab.nixos.host_modules.is_empty() {
            let modules = target.host_modules.iter();
            lab.nixos.host_modules = modules.map(|file| self.beside(file)).collect();
        }
        if let (Some(guest), None) = (&target.guest, &lab.guest) {
            lab.guest = Some(guest.value.clone());
        }
        let mut config = lab.config(suite, again)?;
        config.target.declared_by.clone_from(&self.declared_by);
        // The built-in list is about the lab's own scenarios.
        config.policy.known = Arc::new(Known::default());
        if let Some(firewall) = &target.firewall {
            let hint = "`spawnlab verify --help` lists the variants";
            let setting = suite.setting("firewall", &firewall.value);
            let setting = setting.map_err(|why| self.wrong(firewall, why, hint))?;
            config.target.settings.extend(setting);
        }
        if let Some(flake) = &target.flake {
            let folder = self.beside(&flake.value);
            let hint = "a folder with a flake.nix, relative to that of this file";
            let put = config.target.fixture.put_flake(&folder);
            put.map_err(|why| self.wrong(flake, why, hint))?;
        }
        if let Some(containers) = &target.containers {
            let hint = "a Nix file with a set of containers, relative to the folder of this file";
            let content = fs_err::read(self.beside(&containers.value))
                .map_err(|why| self.wrong(containers, why, hint))?;
            config.target.fixture.put_file(CONTAINERS, content);
        }
        if let Some(deploy) = &target.deploy {
            let deployed = |(container, machine): &(String, String)| Deployed {
                machine: machine.clone(),
                container: container.clone(),
            };
            config.target.fixture.deployed = deploy.iter().map(deployed).collect();
        }
        Ok(config)
    }

    /// `path`, relative to the file's folder.
    fn beside(&self, path: &Utf8Path) -> Utf8PathBuf {
        match self.path.parent() {
            Some(folder) => folder.join(path),
            None => path.to_owned(),
        }
    }

    /// An image that is a path is one beside the file.
    fn image(&self, image: &Located<String>) -> String {
        let beside = self.beside(Utf8Path::new(&image.value));
        let a_path = image.value.contains('/') || image.value.ends_with(".toml");
        if a_path && beside.exists() {
            beside.into_string()
        } else {
            image.value.clone()
        }
    }

    /// A nixpkgs that is a path is one beside the file, and so are patches.
    fn nixpkgs(&self, text: &str) -> String {
        let here = NixpkgsGiven::read(text);
        let folder = self.beside(here.tree.as_ref());
        let tree = if folder.exists() {
            folder.into_string()
        } else {
            here.tree
        };
        let patches = here.patches.iter().map(|patch| self.beside(patch));
        patches.fold(tree, |all, patch| format!("{all}+{patch}"))
    }

    fn wrong<T>(&self, found: &Located<T>, why: impl ToString, hint: &str) -> CliError {
        cli_error(&Problem::at(
            self.path.as_str(),
            &self.text,
            found.location.clone(),
            why.to_string(),
            hint,
        ))
    }
}

fn cli_error(problem: &Problem) -> CliError {
    CliError::usage(problem.location(), problem.explained()).hint(&problem.hint)
}
