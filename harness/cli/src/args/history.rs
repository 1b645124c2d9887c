//! The command line of `spawnlab history`.

use camino::Utf8PathBuf;
use clap::Args;

use crate::args::{Selection, help};

const READING: &str = "\
Reading it:
  names::resolves               the scenario
    debian-trixie tcg ++++x+++  a case, and its newest runs: + passed, x failed,
                                ~ something between
  unstable                      it came out differently on the same inputs, and
                                not yet 100 times in a row the same since
What the lab spoiled, what was skipped or interrupted, and the runs of `verify`
and `cargo test` are not counted.";

const EXIT_CODES: &str = "\
Exit codes:
  0    shown, also where nothing is known yet
  2    the command line is wrong, or a report can't be read
  3    the ledger is damaged, or can't be written
  4    nothing is known of what the filters mean";

/// Arguments of `history`.
#[derive(Debug, Args)]
#[command(after_help = help::HISTORY)]
#[command(after_long_help = help::long(&[help::HISTORY, READING, EXIT_CODES]))]
pub struct HistoryArgs {
    /// Which.
    #[command(flatten)]
    pub selection: Selection,
    /// Only those that are unstable
    #[arg(long)]
    pub unstable: bool,
    /// Print an array of objects: times in UTC, durations in milliseconds
    #[arg(long)]
    pub json: bool,
    /// Count the runs of these reports first, such as those of a CI
    ///
    /// RUN is the folder of a report of `run`, `prove` or `qualify`, or a run.json. None is counted twice. Filters stand before it.
    #[arg(long, value_name = "RUN", num_args = 1..)]
    pub merge: Vec<Utf8PathBuf>,
}
