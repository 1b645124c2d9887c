//! What a host would find of a deployed container on a disk, told without booting it and without root: the file
//! system's journal is replayed as the kernel does, and Nix' database and the files are read out of it.

use std::{collections::BTreeSet, process::Output, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};
use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use crate::{
    image::nar,
    util::{
        digest,
        error::{Error, Result},
        program,
    },
};

/// How long one look of a program at a disk may take.
const LOOK: Duration = Duration::from_secs(120);
/// What a replayed journal has overwritten.
const UNDO: &str = "undo";
/// Where Nix registers what is in the store.
const DATABASE: &str = "/nix/var/nix/db/db.sqlite";

/// A program that [`look`] needs and this machine does not have.
#[must_use]
pub fn missing_program() -> Option<&'static str> {
    ["e2fsck", "e2undo", "debugfs", "sqlite3"]
        .into_iter()
        .find(|name| program::find(name).is_none())
}

/// A container as a disk has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The generation that its profile leads to, such as `system-2-link`; empty if there is no profile.
    pub generation: String,
    /// The store path of that generation.
    pub closure: String,
    /// What is not whole: paths of the closure whose files are not what was registered, and what else is wrong.
    pub broken: Vec<String>,
}

impl Found {
    /// Whether what the profile leads to is all there. No profile leads to nothing that could be missing.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.broken.is_empty()
    }
}

/// Looks for `container` on `raw`, a disk with an ext4 file system, which is the same afterwards. The store paths in
/// `known` are taken for whole; `folder` is for what is read, and has to be empty.
///
/// # Errors
/// When one of the programs can't be run (e2fsprogs, sqlite3), or `raw` holds no such file system.
pub async fn look(
    raw: &Utf8Path,
    container: &str,
    known: &BTreeSet<String>,
    folder: &Utf8Path,
) -> Result<Found> {
    let found = match replay(raw, folder).await? {
        Ok(()) => read(raw, container, known, folder).await,
        Err(said) => Ok(Found {
            broken: vec![format!("the file system: {said}")],
            ..Found::default()
        }),
    };
    undo(raw, folder).await?;
    found
}

/// The store paths that are registered on `raw`, which is the same afterwards.
///
/// # Errors
/// As [`look`].
pub async fn registered(raw: &Utf8Path, folder: &Utf8Path) -> Result<BTreeSet<String>> {
    let replayed = replay(raw, folder).await?;
    replayed.map_err(|said| Error::Machine(format!("the file system of {raw}: {said}")))?;
    let database = database(raw, folder).await?;
    let paths = ask(&database, "select path from ValidPaths").await?;
    remove(&database)?;
    undo(raw, folder).await?;
    Ok(paths.lines().map(str::to_owned).collect())
}

/// Replays the journal of the file system on `raw`, as mounting does. A file system that can't be mounted is no error
/// of the lab, but what e2fsck said.
async fn replay(raw: &Utf8Path, folder: &Utf8Path) -> Result<Result<(), String>> {
    let undo = folder.join(UNDO);
    let arguments = [
        "-E",
        "journal_only",
        "-y",
        "-z",
        undo.as_str(),
        raw.as_str(),
    ];
    let replayed = run("e2fsck", &arguments, "").await?;
    // With 1 it has mended something, which is what replaying is.
    Ok(match replayed.status.code() {
        Some(0 | 1) => Ok(()),
        _ => Err(words(&replayed)),
    })
}

/// Takes back what replaying the journal has changed on `raw`.
async fn undo(raw: &Utf8Path, folder: &Utf8Path) -> Result<()> {
    let undo = folder.join(UNDO);
    if undo.exists() {
        let undone = run("e2undo", &[undo.as_str(), raw.as_str()], "").await?;
        succeeded("e2undo", &undone)?;
        fs_err::remove_file(&undo)?;
    }
    Ok(())
}

async fn read(
    raw: &Utf8Path,
    container: &str,
    known: &BTreeSet<String>,
    folder: &Utf8Path,
) -> Result<Found> {
    let profiles = format!("/nix/var/nix/profiles/per-container/{container}");
    copy_out(raw, &profiles, folder).await?;
    let links = folder.join(container);
    let follow = |link: &str| {
        let target = std::fs::read_link(links.join(link)).ok()?;
        Some(target.to_str()?.to_owned())
    };
    let mut found = Found::default();
    if let Some(generation) = follow("system") {
        match follow(&generation) {
            Some(closure) => found.closure = closure,
            None => found.broken.push(format!("{generation} leads nowhere")),
        }
        found.generation = generation;
    }
    if links.exists() {
        fs_err::remove_dir_all(&links)?;
    }
    let database = database(raw, folder).await?;
    let sound = ask(&database, "pragma integrity_check").await;
    match sound {
        Ok(said) if said.trim() == "ok" => {}
        Ok(said) => found.broken.push(format!("Nix' database: {said}")),
        Err(error) => found.broken.push(format!("Nix' database: {error}")),
    }
    if !found.closure.is_empty() && found.is_whole() {
        let paths = ask(&database, &closure_of(&found.closure)).await?;
        if !paths.lines().any(|line| line.starts_with(&found.closure)) {
            found
                .broken
                .push(format!("{} is not registered", found.closure));
        }
        for line in paths.lines() {
            let (path, hash) = line.split_once('|').unwrap_or((line, ""));
            if known.contains(path) {
                continue;
            }
            let is = hash_of(raw, path, folder).await?;
            if is.as_deref() != hash.strip_prefix("sha256:") {
                let what = if is.is_none() {
                    "is not there"
                } else {
                    "is another"
                };
                found.broken.push(format!("{path} {what}"));
            }
        }
    }
    remove(&database)?;
    Ok(found)
}

/// Asks for each path that `path` needs, itself included, and its hash.
fn closure_of(path: &str) -> String {
    format!(
        "with recursive closure(id) as (select id from ValidPaths where path = '{}'
           union select reference from Refs join closure on referrer = closure.id)
         select path, hash from ValidPaths join closure using (id)",
        path.replace('\'', "''")
    )
}

/// The hash of the store path `path` as it is on `raw`, in hexadecimal; none if it is not there.
async fn hash_of(raw: &Utf8Path, path: &str, folder: &Utf8Path) -> Result<Option<String>> {
    copy_out(raw, path, folder).await?;
    let tree = folder.join(path.rsplit('/').next().unwrap_or_default());
    let Ok(metadata) = fs_err::symlink_metadata(&tree) else {
        return Ok(None);
    };
    let mut hash = Sha256::new();
    nar::write(tree.as_std_path(), &mut hash)?;
    if metadata.is_dir() {
        fs_err::remove_dir_all(&tree)?;
    } else {
        fs_err::remove_file(&tree)?;
    }
    Ok(Some(digest::hex(&hash.finalize())))
}

/// Copies the tree `path` of the file system into `folder`. What does not exist is not copied.
async fn copy_out(raw: &Utf8Path, path: &str, folder: &Utf8Path) -> Result<()> {
    debugfs(raw, &format!("rdump {path} {folder}\n")).await
}

/// The database with what was added to it last, which sqlite takes over when it is opened.
async fn database(raw: &Utf8Path, folder: &Utf8Path) -> Result<Utf8PathBuf> {
    let copy = folder.join("db.sqlite");
    debugfs(
        raw,
        &format!("dump {DATABASE} {copy}\ndump {DATABASE}-wal {copy}-wal\n"),
    )
    .await?;
    Ok(copy)
}

fn remove(database: &Utf8Path) -> Result<()> {
    for end in ["", "-wal", "-shm"] {
        let file = format!("{database}{end}");
        if Utf8Path::new(&file).exists() {
            fs_err::remove_file(file)?;
        }
    }
    Ok(())
}

async fn debugfs(raw: &Utf8Path, commands: &str) -> Result<()> {
    // It says on standard error what does not exist, and that somebody who is not root can't give files away.
    let output = run("debugfs", &["-f", "-", raw.as_str()], commands).await?;
    succeeded("debugfs", &output)
}

async fn ask(database: &Utf8Path, question: &str) -> Result<String> {
    let output = run("sqlite3", &["-batch", database.as_str(), question], "").await?;
    succeeded("sqlite3", &output)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn succeeded(program: &str, output: &Output) -> Result<()> {
    if output.status.success() {
        return Ok(());
    }
    let said = format!("{program} ended with {}: {}", output.status, words(output));
    Err(Error::Machine(said))
}

fn words(output: &Output) -> String {
    let all = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&all).trim().to_owned()
}

async fn run(name: &str, arguments: &[&str], input: &str) -> Result<Output> {
    let mut command = Command::new(name);
    command.args(arguments).env("PATH", program::search_path());
    program::output(&mut command, input, LOOK, "e2fsprogs and sqlite3").await
}
