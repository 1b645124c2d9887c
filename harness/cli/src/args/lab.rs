//! The options that say what scenarios are run on, and with which tool.

use std::sync::Arc;

use camino::Utf8PathBuf;
use clap::{Args, ValueEnum};
use spawnlab::{
    run::{
        config::{RunConfig, RunPolicy, Target},
        session::Start,
        suite::Suite,
    },
    scenario::Guarantee,
    vm::qemu::accel::Choice,
};

use super::nixos::{self, NixosArgs};
use crate::{
    lab::{known, rerun::Rerun, tool},
    output::error::CliError,
};

/// What scenarios are run on, and with what. The variables serve `cargo test`, too.
#[derive(Debug, Clone, Args)]
pub struct LabArgs {
    /// The deploy tool under test [default: the lab's own]
    ///
    /// It is called in a flake's folder as `TOOL [-v] MACHINE TARGET [CONTAINER]`. ADAPTER=PATH is a
    /// checkout of a tool that is called in another way; docs/tools.md has the adapters.
    #[arg(long, value_name = "PATH", env = "SPAWNLAB_TOOL", hide_env = true)]
    pub tool: Option<Utf8PathBuf>,
    /// What the tool promises: a list, `all` or `none`
    ///
    /// Beyond the contract, separated by commas. Scenarios that need more are skipped. Without it,
    /// the lab's own tool promises all, and one that --tool names promises nothing.
    #[arg(long, value_name = "LIST", env = "SPAWNLAB_PROMISES", hide_env = true)]
    #[arg(value_parser = promises)]
    pub promises: Option<Promises>,
    /// Recipe, image's folder or flake reference [default: trixie]
    ///
    /// A recipe is named, or its file is. What a flake reference means is built with `nix build`.
    #[arg(long, value_name = "IMAGE", env = "SPAWNLAB_IMAGE", hide_env = true)]
    pub image: Option<String>,
    /// Of what, if they are NixOS.
    #[command(flatten)]
    pub nixos: NixosArgs,
    /// The Debian suite of the guests [default: the image's own]
    #[arg(long, value_name = "SUITE", env = "SPAWNLAB_GUEST", hide_env = true)]
    pub guest: Option<String>,
    /// auto, kvm or tcg; `auto` takes KVM only if it works
    ///
    /// It works if a guest really starts under it.
    #[arg(long, value_enum, hide_possible_values = true)]
    #[arg(env = "SPAWNLAB_ACCEL", hide_env = true)]
    pub accel: Option<AccelArg>,
    /// Keep hosts of what fails, for `spawnlab resume`
    ///
    /// As they are at that instant: some 400 MiB each, at most 8 and 4 GiB, of which the oldest go first. The machines of
    /// a lab are kept together, with what was in flight between them.
    #[arg(long, env = "SPAWNLAB_KEEP", hide_env = true)]
    pub keep: bool,
}

/// The accelerator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AccelArg {
    /// KVM where it works, else TCG.
    Auto,
    /// KVM or nothing.
    Kvm,
    /// Emulation.
    Tcg,
}

impl AccelArg {
    /// Its name on the command line, unless it is the default.
    #[must_use]
    pub fn unusual(self) -> Option<&'static str> {
        match self {
            Self::Auto => None,
            Self::Kvm => Some("kvm"),
            Self::Tcg => Some("tcg"),
        }
    }
}

/// What a tool promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promises(pub Vec<Guarantee>);

impl Promises {
    /// As the command line has them.
    #[must_use]
    pub fn listed(&self) -> String {
        let names: Vec<_> = self.0.iter().map(|promise| promise.name()).collect();
        match names.as_slice() {
            [] => "none".into(),
            names => names.join(","),
        }
    }
}

impl LabArgs {
    /// What the scenarios of `suite` are run on, and how; `again` runs one of them again.
    ///
    /// # Errors
    /// A tool that can't be executed, or known bugs that have expired.
    pub fn config(&self, suite: &Suite, again: Rerun) -> Result<RunConfig, CliError> {
        let image = self.image.as_deref();
        let image = self.nixos.with_environment(image).options(image);
        nixos::check(&image)?;
        let tool = self.tool.as_deref();
        let tool = tool.map(|tool| tool::checked(tool, suite)).transpose()?;
        let promises = self.promises.as_ref().map(|Promises(all)| all.clone());
        let tested = suite.tested(tool, promises);
        let (tool, promises) = tested.map_err(|error| CliError::of("the suite's tool", error))?;
        let target = Target {
            tool,
            promises,
            own: suite.programs(),
            variables: suite.variables().to_vec(),
            image,
            guest: self.guest.clone(),
            accel: match self.accel.unwrap_or(AccelArg::Auto) {
                AccelArg::Auto => Choice::Auto,
                AccelArg::Kvm => Choice::Kvm,
                AccelArg::Tcg => Choice::Tcg,
            },
            ..Target::of(suite.fixture_of_hosts().clone())
        };
        let policy = RunPolicy {
            known: Arc::new(known::built_in(suite)?),
            keep: self.keep,
            ..RunPolicy::once(Arc::new(move |name| again.command(name)))
        };
        Ok(RunConfig { target, policy })
    }
}

/// A layer that a person can look around in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LayerName {
    /// The image, booted, and nothing more.
    Booted,
    /// Provisioned: containers are declared, none is deployed.
    Host,
    /// The lab's containers are deployed.
    Deployed,
}

impl From<LayerName> for Start {
    fn from(name: LayerName) -> Self {
        match name {
            LayerName::Booted => Self::Booted,
            LayerName::Host => Self::Host,
            LayerName::Deployed => Self::Deployed,
        }
    }
}

/// Reads what a tool promises.
pub(crate) fn promises(text: &str) -> Result<Promises, String> {
    Guarantee::read(text).map(Promises)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_tool_promises() {
        assert_eq!(promises("none"), Ok(Promises(vec![])));
        assert_eq!(promises("all"), Ok(Promises(Guarantee::ALL.to_vec())));
        let two = vec![Guarantee::Idempotent, Guarantee::RollsBack];
        assert_eq!(promises("idempotent, rolls-back"), Ok(Promises(two)));
        assert!(promises("to-be-nice").is_err_and(|error| error.contains("rolls-back")));
        assert!(promises("").is_err());
    }
}
