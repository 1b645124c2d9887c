//! What a page is made of, and how it is found in a report's folder.

use std::{
    collections::BTreeMap,
    io::{Read, Seek, SeekFrom},
};

use camino::{Utf8Path, Utf8PathBuf};

use crate::report::{
    dir, json,
    ledger::excerpt::{self, Earlier, Excerpt},
    run::Run,
};

/// The most that is read of one file of the evidence; of more, the end.
const MOST: u64 = 4 << 20;
/// How many runs before this one are looked at.
const EARLIER: usize = 20;

/// Everything a page shows.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The run.
    pub run: Run,
    /// What the evidence has about each of its records, in their order.
    pub scenarios: Vec<ScenarioSources>,
    /// Runs before it, the newest last.
    pub earlier: Vec<Run>,
    /// What the ledger knew of scenarios before it, by name.
    pub known: BTreeMap<String, Earlier>,
}

/// The evidence of one record.
#[derive(Debug, Clone, Default)]
pub struct ScenarioSources {
    /// One trial; or several, of a repetition or of a proof.
    pub parts: Vec<Part>,
}

/// The evidence of one trial. What is not there is empty.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// What tells it from others: `2`, `sabotaged`; empty if it is the only one.
    pub name: String,
    /// `commands.log`.
    pub commands: String,
    /// `journal.txt`.
    pub journal: String,
    /// `console.log`.
    pub console: String,
    /// `walk.json`.
    pub diagnosis: String,
    /// `phases.json`.
    pub phases: String,
    /// `health.txt`.
    pub health: String,
    /// The names of all files, sorted.
    pub files: Vec<String>,
    /// Its folder, relative to the report's.
    pub folder: Utf8PathBuf,
}

impl Sources {
    /// Reads what there is about `run` in its folder `dir`, and the runs next to it.
    #[must_use]
    pub fn read(run: &Run, dir: &Utf8Path) -> Self {
        let scenarios = run
            .records
            .iter()
            .map(|record| ScenarioSources {
                parts: parts(dir, &record.evidence),
            })
            .collect();
        Self {
            run: run.clone(),
            scenarios,
            earlier: earlier(run, dir),
            known: Excerpt::read(
                &fs_err::read_to_string(dir.join(excerpt::FILE)).unwrap_or_default(),
            ),
        }
    }
}

fn parts(dir: &Utf8Path, folder: &Utf8Path) -> Vec<Part> {
    // A record names its folder, and a record may come from anywhere.
    if folder.is_absolute() || folder.as_str().split('/').any(|part| part == "..") {
        return vec![];
    }
    let mut parts = vec![];
    let (files, folders) = content(&dir.join(folder));
    if files.iter().any(|file| is_read(file)) {
        parts.push(part(dir, folder, "", files));
    }
    for name in folders {
        let below = folder.join(&name);
        let (files, _) = content(&dir.join(&below));
        if files.iter().any(|file| is_read(file)) {
            parts.push(part(dir, &below, &name, files));
        }
    }
    parts
}

fn is_read(file: &str) -> bool {
    matches!(file, "commands.log" | "journal.txt" | "console.log")
}

/// The names of files and folders in `folder`, each sorted.
fn content(folder: &Utf8Path) -> (Vec<String>, Vec<String>) {
    let (mut files, mut folders) = (vec![], vec![]);
    for entry in folder.read_dir_utf8().into_iter().flatten().flatten() {
        let name = entry.file_name().to_owned();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => folders.push(name),
            Ok(kind) if kind.is_file() => files.push(name),
            _ => {}
        }
    }
    files.sort_unstable();
    // Runs are numbered: 10 comes after 9.
    folders.sort_by_key(|name| (name.parse::<u32>().unwrap_or(u32::MAX), name.clone()));
    (files, folders)
}

fn part(dir: &Utf8Path, folder: &Utf8Path, name: &str, files: Vec<String>) -> Part {
    let read = |file: &str| end_of(&dir.join(folder).join(file)).unwrap_or_default();
    Part {
        name: name.to_owned(),
        commands: read("commands.log"),
        journal: read("journal.txt"),
        console: read("console.log"),
        diagnosis: read("walk.json"),
        phases: read("phases.json"),
        health: read("health.txt"),
        files,
        folder: folder.to_owned(),
    }
}

/// The text at `path`, or its last [`MOST`] bytes from a line's beginning on. What is no UTF-8 is
/// replaced.
fn end_of(path: &Utf8Path) -> std::io::Result<String> {
    let mut file = fs_err::File::open(path)?;
    let length = file.metadata()?.len();
    let from = length.saturating_sub(MOST);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = vec![];
    file.take(MOST).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let text = match (from, text.split_once('\n')) {
        (1.., Some((_, rest))) => rest,
        _ => &text,
    };
    Ok(text.to_owned())
}

/// The runs in the folders next to `dir` that began before `run`.
fn earlier(run: &Run, dir: &Utf8Path) -> Vec<Run> {
    let Some(runs) = dir.parent() else {
        return vec![];
    };
    let (_, mut names) = content(runs);
    // Folders are named by the time.
    names.retain(|name| Some(name.as_str()) < dir.file_name());
    let mut earlier: Vec<Run> = names
        .iter()
        .rev()
        .take(EARLIER)
        .filter_map(|name| {
            let text = fs_err::read_to_string(runs.join(name).join(dir::JSON)).ok()?;
            json::read(&text).ok()
        })
        .filter(|other| other.started < run.started)
        .collect();
    earlier.sort_by(|a, b| a.started.cmp(&b.started));
    earlier
}
