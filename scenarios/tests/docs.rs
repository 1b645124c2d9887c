//! The Markdown files of the repository: commands are understood, and the README fits a screen. Where links lead is tested
//! where the site is made of these files: docs/site/tests.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{Parser, error::ErrorKind};
use spawnlab_cli::args::Cli;

/// The most lines that the README may have. What does not fit belongs into `docs/`.
const LINES: usize = 120;

fn repository() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    root.canonicalize().expect("a repository")
}

/// Every Markdown file below `folder`, but for those that builds and reports left there.
fn markdown_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str());
        if path.is_dir() {
            if !name.is_some_and(|name| name.starts_with('.') || name == "target") {
                markdown_files(&path, found);
            }
        } else if path.extension().is_some_and(|ending| ending == "md") {
            found.push(path);
        }
    }
}

fn all() -> Vec<(PathBuf, String)> {
    let mut files = vec![];
    markdown_files(&repository(), &mut files);
    assert!(files.len() > 15, "{files:?}");
    let read = |file: PathBuf| {
        let text = fs::read_to_string(&file).expect("readable");
        (file, text)
    };
    files.into_iter().map(read).collect()
}

/// The words behind each call of the command: on a line of a code block, or in code within prose, which mentions
/// commands by their bare names, too.
fn calls(text: &str) -> Vec<Vec<String>> {
    let joined = text.replace("\\\n", " ");
    let (blocks, prose): (Vec<&str>, Vec<&str>) =
        joined.lines().partition(|line| line.starts_with("    "));
    let words = |call: &str, command: &str| -> Option<Vec<String>> {
        let rest = call.trim().strip_prefix(command)?;
        let rest = rest.split(" #").next().unwrap_or_default();
        Some(rest.split_whitespace().map(str::to_owned).collect())
    };
    let shown = blocks
        .iter()
        .filter_map(|line| words(line, "ci/lab ").or_else(|| words(line, "spawnlab ")));
    let mentioned = prose
        .iter()
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .filter_map(|code| words(code, "ci/lab "))
        .filter(|words| words.len() > 1);
    shown.chain(mentioned).collect()
}

fn is_understood(words: &[String]) -> Result<(), String> {
    let command = ["spawnlab".to_owned()];
    match Cli::try_parse_from(command.iter().chain(words)) {
        Err(error) if error.kind() != ErrorKind::DisplayHelp => Err(error.to_string()),
        _ => Ok(()),
    }
}

#[test]
fn every_command_that_a_page_shows_is_understood() {
    let (mut seen, mut wrong) = (0, vec![]);
    for (file, text) in all() {
        for words in calls(&text) {
            // `ci/lab COMMAND --help` stands for any command.
            if words.first().is_none_or(|word| word == "COMMAND") {
                continue;
            }
            seen += 1;
            if let Err(error) = is_understood(&words) {
                wrong.push(format!("{}: {words:?}: {error}", file.display()));
            }
        }
    }
    assert!(seen > 30, "only {seen} commands were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_readme_fits() {
    let text = fs::read_to_string(repository().join("README.md")).expect("readable");
    let lines = text.lines().count();
    assert!(lines <= LINES, "{lines} lines");
}

#[test]
fn calls_are_found() {
    let text = "# Two `words`\n    [g](h)\n\
        see `ci/lab run \\\n --exact a::b`, and `ci/lab run`\n    spawnlab list # all\n";
    assert_eq!(calls(text), [vec!["list"], vec!["run", "--exact", "a::b"]]);
    assert!(is_understood(&["rnu".to_owned()]).is_err());
}
