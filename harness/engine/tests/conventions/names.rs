//! A type's name says which type is meant, wherever it stands: no two types of the lab that more than one module sees
//! have the same name.
//!
//! The deploy tool is a program of its own, which shares no code with the lab, and is not read.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use regex::Regex;

use crate::rust_files;

/// The crates that see one another, relative to the repository.
const CRATES: [&str; 5] = [
    "harness/agent",
    "harness/cli",
    "harness/engine",
    "harness/macros",
    "scenarios",
];

/// A type that is seen outside of its module.
static DECLARED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^\s*pub(?:\([a-z: ]+\))? (?:struct|enum|trait|union) (\w+)")
        .expect("an expression")
});

fn repository() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).expect("two folders up").to_owned()
}

/// The names of the types in `text` that are seen outside of their module.
fn types(text: &str) -> Vec<&str> {
    DECLARED
        .captures_iter(text)
        .map(|found| found.get(1).expect("a name").as_str())
        .collect()
}

#[test]
fn no_type_has_the_name_of_another() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for folder in CRATES {
        for file in rust_files(&repository().join(folder).join("src")) {
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
