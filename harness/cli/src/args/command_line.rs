//! The command line.

use std::num::{NonZeroU32, NonZeroUsize};

use camino::Utf8PathBuf;
use clap::{Args, Parser, Subcommand, ValueEnum};

use super::{
    help,
    history::HistoryArgs,
    lab::{LabArgs, LayerName},
    nixos::NixosArgs,
    qualify::QualifyArgs,
    report::ReportCommand,
    source::SourceArgs,
    verify::VerifyArgs,
};
use crate::commands::{
    completions::CompletionsArgs,
    doctor::{self, DoctorArgs},
    explain::{self, ExplainArgs},
    man::ManArgs,
};

/// Boots container hosts as VMs, deploys systemd-nspawn guests into them, and checks what they do
#[derive(Debug, Parser)]
#[command(name = "spawnlab", version, max_term_width = 100)]
#[command(after_help = help::SPAWNLAB)]
#[command(after_long_help = help::long(&[help::SPAWNLAB, help::EXIT_CODES]))]
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
    #[command(after_help = help::LIST)]
    #[command(after_long_help = help::long(&[help::LIST, help::FILTERS, help::EXIT_CODES]))]
    List(ListArgs),
    /// Run scenarios, each on a clone of its own
    #[command(after_help = help::RUN)]
    #[command(after_long_help = help::long(&[help::RUN, help::FILTERS, help::ENVIRONMENT, help::EXIT_CODES]))]
    Run(RunArgs),
    /// Run scenarios under their saboteurs: each has to fail where the saboteur says
    #[command(after_help = help::PROVE)]
    #[command(after_long_help = help::long(&[help::PROVE, help::FILTERS, help::ENVIRONMENT, help::EXIT_CODES]))]
    Prove(RunArgs),
    /// Compare two sides: does a change do what it claims, and break nothing?
    Verify(VerifyArgs),
    /// Qualify a release: the cases of a matrix of images, guests, firewalls and tools
    Qualify(QualifyArgs),
    /// Put reports together, or make the page of one again
    #[command(after_help = help::REPORT)]
    #[command(after_long_help = help::long(&[help::REPORT, help::EXIT_CODES]))]
    Report {
        /// What to do with reports.
        #[command(subcommand)]
        command: ReportCommand,
    },
    /// What came of scenarios over many runs: how often, how long, and since when
    History(HistoryArgs),
    /// A shell on a clone of a layer, or in the lab of a scenario
    #[command(after_help = help::SHELL)]
    #[command(after_long_help = help::long(&[help::SHELL, help::ENVIRONMENT, help::EXIT_CODES]))]
    Shell(ShellArgs),
    /// A shell on a host or in a lab that `run --keep` kept
    #[command(after_help = help::RESUME)]
    #[command(after_long_help = help::long(&[help::RESUME, help::ENVIRONMENT, help::EXIT_CODES]))]
    Resume(ResumeArgs),
    /// Walk the way to a container, and name the first hop that is broken
    #[command(after_help = help::EXPLAIN)]
    #[command(after_long_help = help::long(&[help::EXPLAIN, explain::AFTER]))]
    Explain(ExplainArgs),
    /// What this machine can do for the lab, what it lacks, and how to mend that
    #[command(after_help = help::DOCTOR)]
    #[command(after_long_help = help::long(&[help::DOCTOR, doctor::AFTER]))]
    Doctor(DoctorArgs),
    /// List the layers that are kept, or remove some
    #[command(after_help = help::LAYERS)]
    #[command(after_long_help = help::long(&[help::LAYERS, help::BOUNDS, help::EXIT_CODES]))]
    Layers(LayersArgs),
    /// Measure what the lab is fast at, on this machine
    #[command(after_help = help::BENCH)]
    #[command(after_long_help = help::long(&[
        help::BENCH,
        &format!("Names:\n  {}", crate::bench::names("\n  ")),
        help::ENVIRONMENT,
        help::EXIT_CODES,
    ]))]
    Bench(BenchArgs),
    /// Build and look at images
    #[command(after_help = help::IMAGE)]
    #[command(after_long_help = help::long(&[help::IMAGE, help::EXIT_CODES]))]
    Image {
        /// What to do with images.
        #[command(subcommand)]
        command: ImageCommand,
    },
    /// Print what a shell needs to complete the command line
    #[command(after_help = help::COMPLETIONS)]
    Completions(CompletionsArgs),
    /// Print the manual as man pages
    #[command(after_help = help::MAN)]
    Man(ManArgs),
}

/// Which scenarios.
#[derive(Debug, Clone, Args)]
pub struct Selection {
    /// An area with `::` behind it, or parts of names [default: all]
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
    /// Of what.
    #[command(flatten)]
    pub source: SourceArgs,
    /// Print an array of objects with claims, layers, needs and saboteurs
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `run` and `prove`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Which.
    #[command(flatten)]
    pub selection: Selection,
    /// Also what is part of soak runs only
    ///
    /// `spawnlab list` says of which scenarios that is so. One whose full name is a filter runs without this option, too.
    #[arg(long, hide_short_help = true)]
    pub soak: bool,
    /// Of what.
    #[command(flatten)]
    pub source: SourceArgs,
    /// On what.
    #[command(flatten)]
    pub lab: LabArgs,
    /// Again what was not as expected [default: of the last run]
    ///
    /// RUN is the folder of a report, or its run.json. What it was run with (file, tool, image and what belongs to it, accelerator,
    /// known bugs, repeats and loops) is taken from there, but for what is given now. What that run did not
    /// come to is run, too. Filters stand before it, and take a part.
    #[arg(long, value_name = "RUN", num_args = 0..=1)]
    pub failed: Option<Option<Utf8PathBuf>>,
    /// How many at once [default: what this machine carries]
    #[arg(long, short, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// The report's folder [default: a dated one]
    ///
    /// Dated ones are in target/spawnlab/runs, where `latest` leads to the newest. One that is named
    /// is new, empty, or an earlier report, which is replaced.
    #[arg(long, value_name = "DIR")]
    pub report: Option<Utf8PathBuf>,
    /// Run each scenario N times, each on a fresh clone
    ///
    /// One that does not come out the same each time is flaky, and no pass.
    #[arg(long, value_name = "N")]
    pub repeat: Option<NonZeroU32>,
    /// How often scenarios that loop on their clone do so [default: 3]
    #[arg(long = "loops", value_name = "N")]
    pub iterations: Option<NonZeroU32>,
    /// Known bugs, whose failures are expected
    ///
    /// Without it, the rows of ci/known.toml as of when this command was built.
    #[arg(long, value_name = "FILE")]
    pub known: Option<Utf8PathBuf>,
    /// fail or report a pass of an unstable scenario [default: report]
    ///
    /// Unstable is what came out differently on the same inputs, as `spawnlab history` has it, until it came out
    /// the same 100 times in a row. Its pass is told as `unstable`, and with `fail` it is not as expected.
    #[arg(
        long,
        value_name = "HOW",
        value_enum,
        hide_possible_values = true,
        hide_short_help = true
    )]
    pub unstable: Option<OnUnstable>,
    /// Start no more once one was not as expected
    #[arg(long)]
    pub fail_fast: bool,
    /// Tell only what is not as expected, and the end
    #[arg(long, short, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Tell also beginnings, phases, and where evidence is
    #[arg(long, short)]
    pub verbose: bool,
}

/// What a pass of an unstable scenario is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnUnstable {
    /// Not as expected.
    Fail,
    /// Told, and as expected.
    Report,
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
    /// Remove layers, and what stands on them [default: what is beyond the bounds]
    #[command(after_help = help::CLEAN)]
    #[command(after_long_help = help::long(&[help::CLEAN, help::BOUNDS, help::EXIT_CODES]))]
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
    /// Also all scenarios, without layers and with them: many minutes
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
    pub layer: LayerName,
    /// The machines of this scenario instead, as they are before it begins
    ///
    /// AREA::NAME/MACHINE opens the shell on that machine, AREA::NAME on the first one.
    #[arg(
        long = "scenario",
        value_name = "SCENARIO[/MACHINE]",
        conflicts_with = "layer"
    )]
    pub scenario: Option<String>,
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
    /// scenario's evidence folder, as the report names it; a lab of several machines comes back
    /// whole, with a shell on MACHINE, or on the first one [default: list what is kept]
    #[arg(value_name = "RUN/SCENARIO[/MACHINE]")]
    pub kept: Option<Utf8PathBuf>,
    /// A shell in this container instead of on the host
    #[arg(long, value_name = "NAME", requires = "kept")]
    pub container: Option<String>,
}

/// What to do with images.
#[derive(Debug, Subcommand)]
pub enum ImageCommand {
    /// Build an image, unless it is there already
    #[command(after_help = help::BUILD)]
    Build {
        /// Fetch everything and build it again
        #[arg(long)]
        refresh: bool,
        /// A recipe's name or file [default: trixie]
        recipe: Option<String>,
        /// Of what, if they are NixOS.
        #[command(flatten)]
        nixos: NixosArgs,
    },
    /// List the images that were built
    #[command(after_help = help::IMAGES)]
    List,
    /// Print the `image.json` of an image
    #[command(after_help = help::SHOW)]
    Show {
        /// The name, if only one image has it, or the beginning of the id
        image: String,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
