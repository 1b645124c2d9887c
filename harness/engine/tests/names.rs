//! A type's name says which type is meant, wherever it stands: no two types of the lab that more than one module sees
//! have the same name.
//!
//! The deploy tool is a program of its own, which shares no code with the lab, and is not read.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;

/// The crates that see one another, relative to the repository.
const CRATES: [&str; 5] = [
    "harness/agent",
    "harness/cli",
    "harness/engine",
    "harness/macros",
    "scenarios",
];

fn repository() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).expect("two folders up").to_owned()
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
}

/// The names of the types in `text` that are seen outside of their module.
fn types(text: &str) -> Vec<&str> {
    let declared = Regex::new(r"(?m)^\s*pub(?:\([a-z: ]+\))? (?:struct|enum|trait|union) (\w+)")
        .expect("an expression");
    declared
        .captures_iter(text)
        .map(|found| found.get(1).expect("a name").as_str())
        .collect()
}

#[test]
fn no_type_has_the_name_of_another() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for folder in CRATES {
        let mut files = vec![];
        rust_files(&repository().join(folder).join("src"), &mut files);
        for file in files {
            let text = fs::read_to_string(&file).expect("readable");
            let place = file.strip_prefix(repository()).expect("below it");
            for name in types(&text) {
                let all = places.entry(name.to_owned()).or_default();
                all.push(place.display().to_string());
            }
        }
    }
    assert!(places.len() > 300, "only {} types found", places.len());
    let twice: Vec<String> = places
        .into_iter()
        .filter(|(_, places)| places.len() > 1)
        .map(|(name, places)| format!("{name}: {}", places.join(", ")))
        .collect();
    assert!(twice.is_empty(), "{}", twice.join("\n"));
}

#[test]
fn types_are_found() {
    let text = "pub struct One;\nstruct Own;\n    pub(crate) enum Two<T> {}\npub(in crate::a) trait Three {}\n\
                pub fn four() {}\n// pub struct Five;\n";
    assert_eq!(types(text), ["One", "Two", "Three"]);
}
