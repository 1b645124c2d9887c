//! `spawnlab report`: what is done with reports when all runs are over.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use spawnlab::{
    campaign::{qualify, verify},
    report::dir::{COMPARISON, EVIDENCE, QUALIFICATION, remake_html},
};

use crate::{
    args::report::{MergeArgs, ReportCommand},
    commands::{qualify_files, verify_files},
    lab::report_dir,
    output::{error::CliError, exit::Exit, print},
};

/// Does what `command` asks for.
pub(crate) fn report(command: &ReportCommand) -> Result<Exit, CliError> {
    match command {
        ReportCommand::Merge(args) => merge(args),
        ReportCommand::Html(args) => html(&args.dir),
    }
}

fn html(dir: &Utf8Path) -> Result<Exit, CliError> {
    let page = remake_html(dir).map_err(|why| {
        CliError::usage("report html", why)
            .hint("`report html` takes the folder of a run; `target/spawnlab/runs/latest` is the newest one's")
    })?;
    print::stdout(&format!("{page}\n"))?;
    Ok(Exit::AsExpected)
}

fn merge(args: &MergeArgs) -> Result<Exit, CliError> {
    if let Some(target) = &args.report {
        apart(target, &args.dirs)?;
    }
    let compared = args.dirs.iter().any(|dir| dir.join(COMPARISON).is_file());
    if compared {
        merge_comparisons(args)
    } else {
        merge_qualifications(args)
    }
}

fn merge_qualifications(args: &MergeArgs) -> Result<Exit, CliError> {
    let reports = read(&args.dirs, QUALIFICATION, qualify::read)?;
    let merged = qualify::merge::merge(&reports).map_err(wrong)?;
    let dir = qualify_files::open(args.report.as_deref(), &merged)?;
    for case in &merged.cases {
        let mut sources = args.dirs.iter().map(|dir| dir.join(&case.folder));
        // A report may have been carried here without its evidence.
        if let Some(source) = sources.find(|source| source.is_dir()) {
            carry(&source, &dir.path().join(&case.folder)).map_err(evidence)?;
        }
    }
    qualify_files::write(&merged, &dir)?;
    let text = qualify::page(&merged).terminal();
    print::stdout(&format!("{text}report in {dir}\n"))?;
    Ok(Exit::from(merged.outcome()))
}

fn merge_comparisons(args: &MergeArgs) -> Result<Exit, CliError> {
    let reports = read(&args.dirs, COMPARISON, verify::read)?;
    let merged = verify::merge::merge(&reports).map_err(wrong)?;
    let dir = report_dir::open(args.report.as_deref())?;
    // No two shards hold the same scenario, so that none's evidence is in the way of another's.
    for source in args.dirs.iter().map(|dir| dir.join(EVIDENCE)) {
        if source.is_dir() {
            carry(&source, &dir.path().join(EVIDENCE)).map_err(evidence)?;
        }
    }
    verify_files::write(&merged, &dir)?;
    let text = verify::page(&merged).terminal();
    print::stdout(&format!("{text}report in {dir}\n"))?;
    Ok(Exit::from(&merged.overall))
}

fn wrong(why: String) -> CliError {
    CliError::usage("report merge", why)
}

fn evidence(error: io::Error) -> CliError {
    CliError::infrastructure("evidence", error)
}

/// What the file `name` of each of `dirs` holds, with the folder as the name that the user knows it by.
fn read<T>(
    dirs: &[Utf8PathBuf],
    name: &str,
    read: fn(&str) -> Result<T, String>,
) -> Result<Vec<(String, T)>, CliError> {
    let one = |dir: &Utf8PathBuf| -> Result<(String, T), String> {
        let file = dir.join(name);
        let text = fs_err::read_to_string(&file).map_err(|error| error.to_string())?;
        let report = read(&text).map_err(|why| format!("{file}: {why}"))?;
        Ok((dir.to_string(), report))
    };
    let hint = match name {
        COMPARISON => {
            "`report merge` takes folders that `spawnlab verify --shard K/N --report DIR` wrote"
        }
        _ => "`report merge` takes folders that `spawnlab qualify --report DIR` wrote",
    };
    dirs.iter()
        .map(|dir| one(dir).map_err(|why| CliError::usage(format!("report {dir}"), why).hint(hint)))
        .collect()
}

/// The target is cleared first: it must not be, hold, or lie in, what is to be read.
fn apart(target: &Utf8Path, dirs: &[Utf8PathBuf]) -> Result<(), CliError> {
    let Ok(target) = target.canonicalize_utf8() else {
        return Ok(());
    };
    for dir in dirs {
        let Ok(dir) = dir.canonicalize_utf8() else {
            continue;
        };
        if dir.starts_with(&target) || target.starts_with(&dir) {
            return Err(CliError::usage(
                "--report",
                format!("{target} and {dir}, which is to be merged, are not apart"),
            )
            .hint("take another folder"));
        }
    }
    Ok(())
}

/// Makes `target` what `source` is: links to the same files, copies where there can be none.
fn carry(source: &Utf8Path, target: &Utf8Path) -> io::Result<()> {
    fs_err::create_dir_all(target)?;
    for entry in source.read_dir_utf8()? {
        let entry = entry?;
        let (from, to) = (entry.path(), target.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            carry(from, &to)?;
        } else if kind.is_symlink() {
            fs_err::os::unix::fs::symlink(fs_err::read_link(from)?, &to)?;
        } else if fs_err::hard_link(from, &to).is_err() {
            fs_err::copy(from, &to)?;
        }
    }
    Ok(())
}
