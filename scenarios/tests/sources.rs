//! What Nix compiles is what is in `nix/source.nix`: a file that a program embeds and that is not among them is found
//! by nobody who compiles in a checkout.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a repository")
        .to_owned()
}

/// The files and folders of `nix/source.nix`, from the repository's root.
fn listed() -> Vec<PathBuf> {
    let text = fs::read_to_string(repository().join("nix/source.nix")).expect("readable");
    let paths: Vec<PathBuf> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("../"))
        .map(PathBuf::from)
        .collect();
    assert!(paths.len() > 5, "{text}");
    paths
}

/// Every Rust file below `folder`, but for what was built.
fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The paths that a Rust file embeds, as it has them. Of one that is put together, the literal that it begins with.
fn embedded(text: &str) -> Vec<&str> {
    let mut paths = vec![];
    for start in ["include_str!(", "include_bytes!("] {
        for (at, _) in text.match_indices(start) {
            let rest = text[at + start.len()..].trim_start();
            let rest = rest.strip_prefix("concat!(").unwrap_or(rest).trim_start();
            let literal = rest
                .strip_prefix('"')
                .and_then(|rest| rest.split('"').next());
            paths.extend(literal.filter(|path| path.contains('.')));
        }
    }
    paths
}

/// `path` without its `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            plain.pop();
        } else {
            plain.push(part);
        }
    }
    plain
}

#[test]
fn what_programs_embed_is_among_the_sources_of_nix() {
    let listed = listed();
    let mut files = vec![];
    for member in ["harness", "scenarios", "tooling"] {
        rust_files(&repository().join(member), &mut files);
    }
    let (mut seen, mut missing) = (0, vec![]);
    for file in files {
        let text = fs::read_to_string(&file).expect("readable");
        for path in embedded(&text) {
            let folder = file.parent().expect("a folder");
            let path = plain(&folder.join(path));
            let path = path.strip_prefix(repository()).expect("in the repository");
            seen += 1;
            if !listed.iter().any(|listed| path.starts_with(listed)) {
                missing.push(format!("{} embeds {}", file.display(), path.display()));
            }
        }
    }
    assert!(seen > 20, "{seen} embedded files were found");
    assert!(
        missing.is_empty(),
        "nix/source.nix lacks:\n{}",
        missing.join("\n")
    );
}

#[test]
fn what_is_listed_is_there() {
    for path in listed() {
        assert!(repository().join(&path).exists(), "{}", path.display());
    }
}

#[test]
fn literals_are_found_in_either_form() {
    let text = r#"const A: &str = include_str!("a.sh"); include_bytes!(concat!("../b/", $name, ".c")) include!("x");"#;
    assert_eq!(embedded(text), ["a.sh", "../b/"]);
}
