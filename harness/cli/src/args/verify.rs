//! The command line of `spawnlab verify`.

use std::num::{NonZeroU32, NonZeroUsize};

use camino::Utf8PathBuf;
use clap::Args;
use spawnlab::{
    campaign::shard::Shard,
    run::{config::RunConfig, suite::Suite},
};

use crate::lab::side::SideVariables;
use crate::{
    args::{AccelArg, LabArgs, Promises, Selection, help, nixos::NixosArgs, promises},
    lab::rerun::{self, Rerun},
    output::error::CliError,
};

pub(crate) const VERDICTS: &str = "\
Each scenario runs N times on fresh clones of each side, and comes out as
  fixed        it failed on the base each time, and passes with the change each time
  broken       the other way round
  still works, still fails
  flaky        a side did not come out the same each time
  skipped      with the reason: it says nothing about what the sides differ in, or needs more than a tool promises
Exit code 0 means that something is fixed, and nothing is broken or flaky.";

/// How often a layer is tried to be made at least before its failure says something of a side.
const ATTEMPTS: NonZeroU32 = NonZeroU32::new(2).expect("not zero");

/// Arguments of `verify`.
#[derive(Debug, Args)]
#[command(after_help = help::VERIFY)]
#[command(after_long_help = help::long(&[
    help::VERIFY,
    VERDICTS,
    help::FILTERS,
    help::EXIT_CODES,
]))]
pub struct VerifyArgs {
    /// Of the side without the change; once for each variable
    #[arg(long, value_name = "VAR=VALUE", required = true)]
    pub base: Vec<String>,
    /// Of the side with the change; once for each variable
    #[arg(long, value_name = "VAR=VALUE", required = true)]
    pub change: Vec<String>,
    /// The image of sides without `image=` [default: trixie]
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,
    /// Of what it is, if it is NixOS, on sides that do not say.
    #[command(flatten)]
    pub nixos: NixosArgs,
    /// Which.
    #[command(flatten)]
    pub selection: Selection,
    /// Compare only this part of the scenarios; `report merge` puts the parts together
    #[arg(long, value_name = "K/N")]
    pub shard: Option<Shard>,
    /// How often each scenario runs on each side
    #[arg(long, value_name = "N", default_value = "3")]
    pub repeat: NonZeroU32,
    /// What tools of `tool=` promise: a list, all or none [default: none]
    #[arg(long, value_name = "LIST", value_parser = promises)]
    pub promises: Option<Promises>,
    /// auto, kvm or tcg; `auto` takes KVM only if it works
    #[arg(long, value_enum, default_value = "auto", hide_default_value = true)]
    #[arg(hide_possible_values = true, env = "SPAWNLAB_ACCEL", hide_env = true)]
    pub accel: AccelArg,
    /// How many at once [default: what this machine carries]
    #[arg(long, short, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// The report's folder [default: a dated one]
    #[arg(long, value_name = "DIR")]
    pub report: Option<Utf8PathBuf>,
    /// Write the comparison here, too: JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<Utf8PathBuf>,
    /// Write the comparison here, too: Markdown for a pull request
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<Utf8PathBuf>,
    /// Write the comparison here, too: JUnit's XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<Utf8PathBuf>,
}

impl VerifyArgs {
    /// The sides, base first.
    ///
    /// # Errors
    /// A variable that is not there, or not yet.
    pub fn sides(&self, suite: &Suite) -> Result<[SideVariables; 2], CliError> {
        let read = |what: &str, variables: &[String]| {
            SideVariables::read(suite, variables, self.image.as_deref()).map_err(|why| {
                CliError::usage(what, why).hint("`spawnlab verify --help` lists the variables")
            })
        };
        Ok([read("--base", &self.base)?, read("--change", &self.change)?])
    }

    /// What the scenarios of `side` are run on, and how.
    ///
    /// # Errors
    /// A tool that can't be executed.
    pub fn config(&self, suite: &Suite, side: &SideVariables) -> Result<RunConfig, CliError> {
        let named = side.tool.is_some();
        let mut nixos = self.nixos.clone();
        if side.nixpkgs.is_some() {
            nixos.nixpkgs.clone_from(&side.nixpkgs);
        }
        let lab = LabArgs {
            tool: side.tool.as_ref().map(Utf8PathBuf::from),
            promises: self.promises.clone().filter(|_| named),
            image: side.image.clone(),
            nixos,
            guest: side.guest.clone(),
            accel: Some(self.accel),
            keep: false,
        };
        let mut config = lab.config(suite, self.again())?;
        config.target.settings = side.settings();
        config.target.host.clone_from(&side.host);
        // Hosts whose nixpkgs are compared have nothing of the lab's in their firewall, on either side.
        let compared = |all: &[String]| all.iter().any(|one| one.starts_with("nixpkgs="));
        config.target.image.own_firewall = compared(&self.base) || compared(&self.change);
        config.policy.starts = self.repeat;
        // What failed once may have been the lab's fault, however often scenarios run.
        config.policy.attempts = self.repeat.max(ATTEMPTS);
        Ok(config)
    }

    /// Writes the command that compares just one scenario again.
    #[must_use]
    pub fn again(&self) -> Rerun {
        let mut words = vec![rerun::program(), "verify".to_owned()];
        let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
        for variable in &self.base {
            option("--base", variable.clone());
        }
        for variable in &self.change {
            option("--change", variable.clone());
        }
        if let Some(image) = &self.image {
            option("--image", image.clone());
        }
        for (name, value) in self.nixos.words() {
            option(name, value);
        }
        option("--repeat", self.repeat.to_string());
        // None is the default.
        if let Some(promises) = self.promises.as_ref().filter(|given| !given.0.is_empty()) {
            option("--promises", promises.listed());
        }
        if let Some(accel) = self.accel.unusual() {
            option("--accel", accel.to_owned());
        }
        Rerun::of(words)
    }
}
