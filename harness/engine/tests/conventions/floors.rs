//! The folders of the engine's sources are floors: a file uses only what lies in its own folder or in one
//! further down, so that two folders never need each other.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::rust_files;

/// The folders, from the top.
const FLOORS: [&str; 12] = [
    "campaign", "run", "report", "diagnose", "health", "scenario", "network", "layer", "image",
    "vm", "verdict", "util",
];

/// What stands at the top beside the folders.
const ENTRIES: [&str; 1] = ["lib.rs"];

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The place of `folder` among the floors: 0 is the top.
fn floor(folder: &str) -> Option<usize> {
    FLOORS.iter().position(|known| *known == folder)
}

/// The folders that `text` names behind `crate::`, in a path or in a list of imports.
fn used(text: &str) -> BTreeSet<String> {
    let code: String = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n");
    let mut names = BTreeSet::new();
    for after in code.split("crate::").skip(1) {
        match after.strip_prefix('{') {
            Some(list) => names.extend(heads(list)),
            None => names.extend(word(after)),
        }
    }
    names
}

/// The first words of the entries of a list of imports, `list` being what follows its opening brace.
fn heads(list: &str) -> Vec<String> {
    let (mut depth, mut begins, mut heads) = (0_u32, true, vec![]);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            c if begins && !c.is_whitespace() => {
                heads.extend(word(&list[at..]));
                begins = false;
            }
            _ => {}
        }
    }
    heads
}

fn word(text: &str) -> Option<String> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let word = &text[..end.unwrap_or(text.len())];
    (!word.is_empty()).then(|| word.to_owned())
}

/// The folders further up that `text`, a file of the folder `of`, uses.
fn upwards(of: &str, text: &str) -> Vec<String> {
    let own = floor(of);
    let mut names: Vec<String> = used(text).into_iter().collect();
    names.retain(|name| matches!((floor(name), own), (Some(used), Some(own)) if used < own));
    names
}

#[test]
fn no_file_uses_a_folder_further_up() {
    let (mut looked_at, mut wrong) = (0, vec![]);
    for folder in FLOORS {
        for file in rust_files(&sources().join(folder)) {
            let text = fs::read_to_string(&file).expect("readable");
            looked_at += used(&text).len();
            for name in upwards(folder, &text) {
                wrong.push(format!(
                    "{} uses {name}, which lies above {folder}",
                    file.display()
                ));
            }
        }
    }
    assert!(looked_at > 200, "only {looked_at} imports were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_import_that_is_turned_around_is_found() {
    let text = "use crate::{\n    run::{session::Session, task},\n    util::error::Result,\n};\n// use crate::campaign\n";
    assert_eq!(used(text), ["run", "util"].map(str::to_owned).into());
    assert_eq!(upwards("scenario", text), ["run"]);
    assert_eq!(
        upwards("vm", "let x = crate::layer::key::Key::root([]);"),
        ["layer"]
    );
    assert_eq!(upwards("run", text), Vec::<String>::new());
}

#[test]
fn every_entry_at_the_top_is_a_floor() {
    let mut entries: BTreeSet<String> = fs::read_dir(sources())
        .expect("readable")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    for known in FLOORS.iter().chain(&ENTRIES) {
        assert!(entries.remove(*known), "{known} is gone");
    }
    assert!(entries.is_empty(), "{entries:?} belong into a folder");
}

#[test]
fn every_floor_says_what_belongs_there() {
    for folder in FLOORS {
        let entry = sources().join(folder).join("mod.rs");
        let text = fs::read_to_string(&entry).expect("a folder has a mod.rs");
        let lines = text
            .lines()
            .take_while(|line| line.starts_with("//!"))
            .count();
        assert!(lines >= 3, "{} says too little of itself", entry.display());
    }
}
