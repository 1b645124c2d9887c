//! The command line of `spawnlab qualify`.

use std::num::{NonZeroU32, NonZeroUsize};

use camino::Utf8PathBuf;
use clap::Args;
use spawnlab::{campaign::shard::Shard, scenario::lab::ITERATIONS};

use crate::args::{AccelArg, Promises, help, promises};

/// How often scenarios that loop do so under `--soak`, if no number is given.
const SOAK: &str = "20";

const MATRIX: &str = "\
A matrix is a TOML file:
  image = [\"trixie\", \"sid\"]         a dimension with its values, the default first; there are image,
                                    nixpkgs, guest, firewall and tool, with the values that they have in
                                    `verify`, tool = \"ours\" for the one that ships with the lab, and
                                    nixpkgs = \"none\" for images that take none
  [[exclude]]                       cases that can't be had:
                                    when = { image = \"sid\", guest = \"trixie\" }, why = \"...\"
  [[suite]]                         what runs in a case, the first whose `when` holds:
                                    scenarios = [\"networking::\"], and all with []
By default so many cases run that any two values meet in one; they share images and layers.
With more than one tool the page has the claims by tool: kept, broken, not promised, and so on.";

const EXIT_CODES: &str = "\
Exit codes:
  0    all as expected, or no case is in this shard
  1    a scenario failed, timed out, was flaky, or passed although it should not
  2    the command line, the matrix or the list of known bugs is wrong
  3    the lab itself failed, or a case was not run, and no scenario failed
  4    nothing is selected
  130  interrupted: what had ended is in the report";

/// Arguments of `qualify`.
#[derive(Debug, Clone, Args)]
#[command(after_help = help::QUALIFY)]
#[command(after_long_help = help::long(&[help::QUALIFY, MATRIX, EXIT_CODES]))]
pub struct QualifyArgs {
    /// The matrix [default: ci/matrix.toml, as it is built in]
    #[arg(value_name = "MATRIX")]
    pub matrix: Option<Utf8PathBuf>,
    /// Run every case of the matrix
    #[arg(long)]
    pub full: bool,
    /// Run only this part of the cases; `report merge` puts them together
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Let scenarios that loop do so N times [default: 20, else 3], and run those of soak runs, too
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = SOAK)]
    pub soak: Option<NonZeroU32>,
    /// Only cases with these values, such as image=trixie,firewall=off
    ///
    /// More than one: any of them.
    #[arg(long, value_name = "CASE")]
    pub case: Vec<String>,
    /// Only these scenarios, in every case: a filter as of `run`
    #[arg(long, value_name = "FILTER")]
    pub scenario: Vec<String>,
    /// Filters are full names
    #[arg(long, requires = "scenario")]
    pub exact: bool,
    /// Again what was not as expected, in the same cases [default: of the last qualify]
    ///
    /// RUN is the folder of a report, or its qualify.json. The matrix, --soak, --promises, --accel and --known are as
    /// they were then, but for what is given now. What that run did not come to is run, too. --case, --scenario
    /// and --shard take a part.
    #[arg(long, value_name = "RUN", num_args = 0..=1, conflicts_with = "full")]
    pub failed: Option<Option<Utf8PathBuf>>,
    /// List the cases with the number of their scenarios, and run nothing
    #[arg(long)]
    pub list: bool,
    /// With --list: an array of objects with names and scenarios
    #[arg(long, requires = "list")]
    pub json: bool,
    /// What tools other than ours promise: a list, all or none [default: none]
    #[arg(long, value_name = "LIST", value_parser = promises)]
    pub promises: Option<Promises>,
    /// auto, kvm or tcg; `auto` takes KVM only if it works
    #[arg(long, value_enum, hide_possible_values = true)]
    #[arg(env = "SPAWNLAB_ACCEL", hide_env = true)]
    pub accel: Option<AccelArg>,
    /// How many scenarios at once [default: what this machine carries]
    #[arg(long, short, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// Known bugs, whose failures are expected
    ///
    /// Without it, the rows of ci/known.toml as of when this command was built.
    #[arg(long, value_name = "FILE")]
    pub known: Option<Utf8PathBuf>,
    /// The report's folder [default: a dated one]
    #[arg(long, value_name = "DIR")]
    pub report: Option<Utf8PathBuf>,
}

impl QualifyArgs {
    /// How often scenarios that loop do so.
    #[must_use]
    pub fn iterations(&self) -> NonZeroU32 {
        self.soak.unwrap_or(ITERATIONS)
    }
}
