//! The command line.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    sync::Arc,
};

use camino::Utf8PathBuf;
use clap::{Args, Parser, Subcommand, ValueEnum};
use spawnlab::{lab::LOOPS, qemu::accel::Choice, scenario::Guarantee, trial::Failed};

use super::{
    again::Again, known, qualify_args::QualifyArgs, report_args::ReportCommand, tool,
    trouble::Trouble, verify_args::VerifyArgs,
};
use crate::engine::{Layer, Options};

pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0    all as expected
  1    a scenario failed, timed out, was flaky, or passed although it should not;
       verify: the change has no effect, breaks something, or something is flaky
  2    the command line is wrong
  3    the lab itself failed, and no scenario did
  4    nothing is selected
  130  interrupted";

const BOUNDS: &str = "\
Every run keeps the layers within 12 GiB and removes what no run used for 14 days; none that is in use.";

pub(super) const FILTERS: &str = "\
Filters:
  names::            the whole area `names`
  lease              every scenario whose full name contains `lease`
  names::a names::b  everything that either of them selects
  --exact names::a   that one and no other
Names are those that `spawnlab list` shows. Under `prove` they have a saboteur behind them: area::name+saboteur.";

/// Boots container hosts as VMs, deploys systemd-nspawn guests into them, and checks what they do
#[derive(Debug, Parser)]
#[command(name = "spawnlab", version, after_help = EXIT_CODES, max_term_width = 100)]
#[command(propagate_version = true, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List scenarios
    #[command(after_help = format!("{FILTERS}\n\n{EXIT_CODES}"))]
    List(ListArgs),
    /// Run scenarios, each on a clone of its own
    #[command(after_help = format!("{FILTERS}\n\n{EXIT_CODES}"))]
    Run(RunArgs),
    /// Run scenarios against their saboteurs: each has to fail, where the saboteur says
    #[command(after_help = format!("{FILTERS}\n\n{EXIT_CODES}"))]
    Prove(RunArgs),
    /// Compare two sides: does a change do what it claims, and break nothing?
    Verify(VerifyArgs),
    /// Qualify a release: the cases of a matrix of images, guests, firewalls and tools
    Qualify(QualifyArgs),
    /// Put reports together, or make the page of one again
    #[command(after_help = EXIT_CODES)]
    Report {
        /// What to do with reports.
        #[command(subcommand)]
        command: ReportCommand,
    },
    /// A shell on a clone of a layer
    #[command(after_help = EXIT_CODES)]
    Shell(ShellArgs),
    /// A shell on the host of a scenario that failed, as `run --keep` kept it
    #[command(after_help = EXIT_CODES)]
    Resume(ResumeArgs),
    /// Walk the way to a container, and name the first hop that is broken
    #[command(after_help = super::explain::AFTER)]
    Explain(super::explain::ExplainArgs),
    /// What this machine can do for the lab, what it lacks, and how to mend that
    #[command(after_help = super::doctor::AFTER)]
    Doctor(super::doctor::DoctorArgs),
    /// List the layers that are kept, or remove some
    #[command(after_help = format!("{BOUNDS}\n\n{EXIT_CODES}"))]
    Layers(LayersArgs),
    /// Measure what the lab is fast at, on this machine
    #[command(after_help = format!("Names:\n  {}\n\n{EXIT_CODES}", crate::bench::names("\n  ")))]
    Bench(BenchArgs),
    /// Build and look at images
    #[command(after_help = EXIT_CODES)]
    Image {
        /// What to do with images.
        #[command(subcommand)]
        command: ImageCommand,
    },
}

/// Which scenarios.
#[derive(Debug, Args)]
pub struct Selection {
    /// Which scenarios: an area with `::` behind it, or a part of their names [default: all]
    #[arg(value_name = "FILTER")]
    pub filters: Vec<String>,
    /// Filters are full names
    #[arg(long, requires = "filters")]
    pub exact: bool,
}

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Which.
    #[command(flatten)]
    pub selection: Selection,
    /// Print an array of objects with claims, layers, needs and saboteurs
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `run` and `prove`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Which.
    #[command(flatten)]
    pub selection: Selection,
    /// On what.
    #[command(flatten)]
    pub lab: LabArgs,
    /// How many at once [default: what this machine carries]
    #[arg(long, short, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// The report's folder: empty, new, or an earlier report, which is replaced [default: a dated
    /// folder in target/spawnlab/runs, and `latest` leads to it]
    #[arg(long, value_name = "DIR")]
    pub report: Option<Utf8PathBuf>,
    /// Run each scenario N times, each time on a fresh clone; one that does not come out the same each
    /// time is flaky, and no pass
    #[arg(long, value_name = "N", default_value = "1", hide_default_value = true)]
    pub repeat: NonZeroU32,
    /// How often scenarios that repeat something on their clone do so
    #[arg(long, value_name = "N", default_value_t = LOOPS)]
    pub loops: NonZeroU32,
    /// The list of known bugs, whose failures are expected [default: ci/known.toml as of when this
    /// command was built]
    #[arg(long, value_name = "FILE")]
    pub known: Option<Utf8PathBuf>,
    /// Start no further scenario once one came out other than expected
    #[arg(long)]
    pub fail_fast: bool,
}

/// Arguments of `layers`.
#[derive(Debug, Args)]
pub struct LayersArgs {
    /// What to do with them.
    #[command(subcommand)]
    pub command: Option<LayersCommand>,
    /// Print JSON: sizes in bytes, times in seconds since 1970
    #[arg(long, global = true)]
    pub json: bool,
}

/// What to do with layers.
#[derive(Debug, Subcommand)]
pub enum LayersCommand {
    /// Remove layers, and what stands on them, unless they are in use [default: what is beyond the bounds]
    #[command(after_help = format!("{BOUNDS}\n\n{EXIT_CODES}"))]
    Clean(CleanArgs),
}

/// Arguments of `layers clean`.
#[derive(Debug, Args)]
pub struct CleanArgs {
    /// A layer's name, which may mean several, or the beginning of its key
    pub layer: Option<String>,
    /// All of them
    #[arg(long, conflicts_with_all = ["layer", "older_than"])]
    pub all: bool,
    /// Those that no run used for so long, such as 36h or 14d
    #[arg(long, value_name = "AGE", conflicts_with = "layer")]
    pub older_than: Option<humantime::Duration>,
}

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// How often each thing is measured
    #[arg(long, value_name = "N", default_value = "5")]
    pub repeat: NonZeroUsize,
    /// Write all samples to this file, too
    #[arg(long, value_name = "FILE")]
    pub json: Option<Utf8PathBuf>,
    /// Measure only these
    #[arg(long, value_name = "NAME", num_args = 1.., conflicts_with = "suite")]
    #[arg(value_parser = crate::bench::known)]
    pub only: Vec<String>,
    /// Also all scenarios, once with an empty cache of layers and once with a full one: many minutes
    #[arg(long)]
    pub suite: bool,
    /// Measure nothing; make N clones instead, ask each on the host and in a container, and fail if one
    /// does not answer or if they leave anything behind
    #[arg(long, value_name = "N", conflicts_with_all = ["suite", "only", "repeat"])]
    pub soak: Option<NonZeroUsize>,
    /// How many clones of --soak run at once
    #[arg(long, value_name = "N", default_value = "1", requires = "soak")]
    pub at_once: NonZeroUsize,
    /// On what.
    #[command(flatten)]
    pub lab: LabArgs,
}

/// Arguments of `shell`.
#[derive(Debug, Args)]
pub struct ShellArgs {
    /// The layer
    #[arg(value_enum, default_value = "deployed")]
    pub layer: Layer,
    /// A shell in this container instead of on the host
    #[arg(long, value_name = "NAME")]
    pub container: Option<String>,
    /// On what.
    #[command(flatten)]
    pub lab: LabArgs,
}

/// `spawnlab resume`.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// The host of a scenario that failed: RUN/AREA::NAME, such as latest/names::resolves, or the
    /// scenario's evidence folder, as the report names it [default: list the hosts that are kept]
    #[arg(value_name = "RUN/SCENARIO")]
    pub kept: Option<Utf8PathBuf>,
    /// A shell in this container instead of on the host
    #[arg(long, value_name = "NAME", requires = "kept")]
    pub container: Option<String>,
}

/// What to do with images.
#[derive(Debug, Subcommand)]
pub enum ImageCommand {
    /// Build an image, unless it is there already
    Build {
        /// Fetch everything and build it again
        #[arg(long)]
        refresh: bool,
        /// A recipe's name or file [default: trixie]
        recipe: Option<String>,
    },
    /// List the images that were built
    List,
    /// Print the `image.json` of an image
    Show {
        /// The name, if only one image has it, or the beginning of the id
        image: String,
    },
}

/// What scenarios are run on, and with what. The variables serve `cargo test`, too.
#[derive(Debug, Clone, Args)]
pub struct LabArgs {
    /// The deploy tool under test [default: the one that ships with the lab]
    #[arg(
        long,
        value_name = "PATH",
        env = "SPAWNLAB_TOOL",
        hide_env_values = true
    )]
    pub tool: Option<Utf8PathBuf>,
    /// What the tool promises beyond the contract, comma-separated; scenarios that need more are
    /// skipped [default: `all` for the one that ships with the lab, `none` with --tool]
    #[arg(
        long,
        value_name = "LIST",
        env = "SPAWNLAB_PROMISES",
        hide_env_values = true
    )]
    #[arg(value_parser = promises)]
    pub promises: Option<Promises>,
    /// A recipe's name or file, an image's folder, or a flake reference [default: debian/trixie]
    #[arg(
        long,
        value_name = "IMAGE",
        env = "SPAWNLAB_IMAGE",
        hide_env_values = true
    )]
    pub image: Option<String>,
    /// The Debian suite that guests are made of [default: the image's own]
    #[arg(
        long,
        value_name = "SUITE",
        env = "SPAWNLAB_GUEST",
        hide_env_values = true
    )]
    pub guest: Option<String>,
    /// `auto` takes KVM only if a guest really starts under it
    #[arg(
        long,
        value_enum,
        default_value = "auto",
        env = "SPAWNLAB_ACCEL",
        hide_env_values = true
    )]
    pub accel: Accel,
    /// Keep the hosts of scenarios that fail, as they are at that instant, for `spawnlab resume`: some
    /// 400 MiB each, at most 8 and 4 GiB, of which the oldest go first
    #[arg(long, env = "SPAWNLAB_KEEP", hide_env_values = true)]
    pub keep: bool,
}

/// The accelerator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Accel {
    /// KVM where it works, else TCG.
    Auto,
    /// KVM or nothing.
    Kvm,
    /// Emulation.
    Tcg,
}

/// What a tool promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promises(pub Vec<Guarantee>);

impl LabArgs {
    /// What the engine needs to know; `again` runs one scenario again.
    ///
    /// # Errors
    /// A tool that can't be executed, or known bugs that have expired.
    pub fn options(&self, again: Again) -> Result<Options, Trouble> {
        let tool = self.tool.as_deref().map(tool::checked).transpose()?;
        let promises = match &self.promises {
            Some(Promises(promises)) => promises.clone(),
            None if tool.is_some() => vec![],
            None => Guarantee::ALL.to_vec(),
        };
        Ok(Options {
            tool,
            promises,
            image: self.image.clone(),
            guest: self.guest.clone(),
            accel: match self.accel {
                Accel::Auto => Choice::Auto,
                Accel::Kvm => Choice::Kvm,
                Accel::Tcg => Choice::Tcg,
            },
            nixpkgs: None,
            firewall: None,
            host: None,
            starts: NonZeroU32::MIN,
            attempts: NonZeroU32::MIN,
            repeat: NonZeroU32::MIN,
            loops: LOOPS,
            known: Arc::new(known::read(None)?),
            failed: if self.keep {
                Failed::Kept
            } else {
                Failed::Dropped
            },
            again,
        })
    }
}

pub(super) fn promises(text: &str) -> Result<Promises, String> {
    match text {
        "all" => return Ok(Promises(Guarantee::ALL.to_vec())),
        "none" => return Ok(Promises(vec![])),
        _ => {}
    }
    let one = |name: &str| {
        let found = Guarantee::ALL
            .into_iter()
            .find(|known| known.name() == name);
        found.ok_or_else(|| {
            let known: Vec<_> = Guarantee::ALL.iter().map(|known| known.name()).collect();
            format!("{name:?} is none of {}, all, none", known.join(", "))
        })
    };
    text.split(',')
        .map(|name| one(name.trim()))
        .collect::<Result<_, _>>()
        .map(Promises)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

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
