//! `spawnlab report`: what is done with reports when all runs are over.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use spawnlab::{
    campaign::qualify::{self, Qualification, merge, text},
    report::dir::remake_html,
};

use crate::{
    args::report::{MergeArgs, ReportCommand},
    commands::qualify_files,
    output::{error::Trouble, exit::Exit, print},
};

/// Does what `command` asks for.
pub(crate) fn report(command: &ReportCommand) -> Result<Exit, Trouble> {
    match command {
        ReportCommand::Merge(args) => merge(args),
        ReportCommand::Html(args) => html(&args.dir),
    }
}

fn html(dir: &Utf8Path) -> Result<Exit, Trouble> {
    let page = remake_html(dir).map_err(|why| {
        Trouble::usage("report html", why)
            .hint("`report html` takes the folder of a run; `target/spawnlab/runs/latest` is the newest one's")
    })?;
    print::stdout(&format!("{page}\n"))?;
    Ok(Exit::AsExpected)
}

fn merge(args: &MergeArgs) -> Result<Exit, Trouble> {
    let mut reports = vec![];
    for dir in &args.dirs {
        reports.push((dir.to_string(), read(dir)?));
    }
    let merged = merge::merge(&reports).map_err(|why| Trouble::usage("report merge", why))?;
    if let Some(target) = &args.report {
        apart(target, &args.dirs)?;
    }
    let dir = qualify_files::open(args.report.as_deref(), &merged)?;
    for case in &merged.cases {
        let target = dir.path().join(&case.folder);
        let mut sources = args.dirs.iter().map(|dir| dir.join(&case.folder));
        // A report may have been carried here without its evidence.
        if let Some(source) = sources.find(|source| source.is_dir()) {
            carry(&source, &target).map_err(|error| Trouble::infrastructure("evidence", error))?;
        }
    }
    qualify_files::write(&merged, &dir)?;
    print::stdout(&format!("{}report in {dir}\n", text::render(&merged)))?;
    Ok(Exit::from(merged.came()))
}

fn read(dir: &Utf8Path) -> Result<Qualification, Trouble> {
    let file = dir.join("qualify.json");
    let wrong = |why: String| {
        Trouble::usage(format!("report {dir}"), why)
            .hint("`report merge` takes folders that `spawnlab qualify --report DIR` wrote")
    };
    let text = fs_err::read_to_string(&file).map_err(|error| wrong(error.to_string()))?;
    qualify::read(&text).map_err(|why| wrong(format!("{file}: {why}")))
}

/// The target is cleared first: it must not be, hold, or lie in, what is to be read.
fn apart(target: &Utf8Path, dirs: &[Utf8PathBuf]) -> Result<(), Trouble> {
    let Ok(target) = target.canonicalize_utf8() else {
        return Ok(());
    };
    for dir in dirs {
        let Ok(dir) = dir.canonicalize_utf8() else {
            continue;
        };
        if dir.starts_with(&target) || target.starts_with(&dir) {
            return Err(Trouble::usage(
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
