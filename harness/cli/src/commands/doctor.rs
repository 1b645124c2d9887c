//! `spawnlab doctor`.

use clap::Args;
use serde_json::json;
use spawnlab::{image::Cache, vm::qemu::accel};

use crate::doctor::{
    judge::{self, Rating},
    leftovers, probes,
};
use crate::output::{error::CliError, exit::Exit, print};

/// What the help says below the options.
pub(crate) const AFTER: &str = "\
ok: as it should be; warn: the lab runs, but worse than it could; missing: it can't run without.
KVM is proved with the kernel of an image, or with this machine's own where there is no image yet.

Exit codes:
  0  the lab can run
  1  it can't: something is missing
  2  the command line is wrong
  3  leftovers could not be removed";

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Remove what dead runs left behind (folders of VMs, unfinished images and layers), and prove KVM anew
    #[arg(long)]
    pub fix: bool,
    /// Print an object with a line for each thing and what was seen
    #[arg(long)]
    pub json: bool,
}

/// Looks, mends if asked to, and tells.
pub(crate) async fn doctor(args: &DoctorArgs) -> Result<Exit, CliError> {
    if args.fix {
        // A cache that can't be used is said below, with the rest of what was seen.
        if let Ok(cache) = Cache::location() {
            accel::forget(&cache)
                .map_err(|why| CliError::infrastructure("the proof of KVM", why))?;
        }
    }
    let mut seen = probes::probe().await;
    let mut removed = vec![];
    if args.fix {
        let before = std::mem::take(&mut seen.leftovers);
        let folder = seen.cache.folder.as_deref();
        leftovers::remove(folder).map_err(|why| CliError::infrastructure("leftovers", why))?;
        seen.leftovers = leftovers::find(folder);
        let gone = before.all().filter(|dir| !dir.exists());
        removed.extend(gone.cloned());
    }
    let lines = judge::lines(&seen);
    let can_run = judge::can_run(&lines);
    print::stdout(&if args.json {
        let object =
            json!({ "can_run": can_run, "lines": lines, "probes": seen, "removed": removed });
        format!("{object:#}\n")
    } else {
        let gone = removed.iter().map(|dir| format!("removed  {dir}\n"));
        gone.collect::<String>() + &judge::table(&lines)
    })?;
    if args.fix
        && lines
            .iter()
            .any(|line| line.what == "leftovers" && line.word != Rating::Ok)
    {
        let why = "some are still there; look at their permissions";
        return Err(CliError::infrastructure("leftovers", why));
    }
    Ok(if can_run {
        Exit::AsExpected
    } else {
        Exit::Failed
    })
}
