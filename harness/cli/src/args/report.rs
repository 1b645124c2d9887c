//! The command line of `spawnlab report`.

use camino::Utf8PathBuf;
use clap::{Args, Subcommand};

use crate::args::help;

/// What to do with reports.
#[derive(Debug, Subcommand)]
pub enum ReportCommand {
    /// Put the reports of shards together, as one run without shards would have left it
    #[command(after_help = help::MERGE)]
    #[command(after_long_help = help::long(&[help::MERGE, MERGED]))]
    Merge(MergeArgs),
    /// Make report.html of a run again: for one that was killed, or whose page is older than its evidence
    #[command(after_help = help::HTML)]
    #[command(after_long_help = help::long(&[help::HTML, help::EXIT_CODES]))]
    Html(HtmlArgs),
}

/// Arguments of `report html`.
#[derive(Debug, Args)]
pub struct HtmlArgs {
    /// The run's report: the folder that holds its run.json
    #[arg(value_name = "DIR")]
    pub dir: Utf8PathBuf,
}

const MERGED: &str = "\
The reports are those of `qualify`, or those of `verify --shard`, and not of both.
Cases have the same verdicts in the same order as without shards, whatever the order of the folders;
what differs is when it began (the earliest shard) and how long it took (all of them together).
Evidence is linked, or copied where that is not possible.

Exit codes are those of `qualify`, or of `verify`. A case that no folder holds is missing, and the exit
code 3 if nothing else is wrong; one that two folders hold is a mistake, 2.";

/// Arguments of `report merge`.
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// The report of each shard
    #[arg(value_name = "DIR", required = true)]
    pub dirs: Vec<Utf8PathBuf>,
    /// The folder of the whole report [default: a dated one]
    ///
    /// Dated ones are in target/spawnlab/runs, where `latest` leads to the newest.
    #[arg(long, value_name = "DIR")]
    pub report: Option<Utf8PathBuf>,
}
