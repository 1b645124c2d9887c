//! What of this repository a NixOS host is made of: `vm-images/nixos`, which is part of the program.

use camino::Utf8Path;

/// Every file of `vm-images/nixos` but those of tests, by its path there; see `build.rs`.
pub(crate) const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/nixos_files.rs"));

/// Where the scripts of the build are.
const BUILD: &str = "debian/build";

/// The recipe `name`, if there is one.
pub(crate) fn recipe_file(name: &str) -> Option<&'static str> {
    text(&format!("{name}.toml"))
}

/// The text of the file at `path` in `vm-images/nixos`.
pub(crate) fn text(path: &str) -> Option<&'static str> {
    let mut files = FILES.iter();
    let (_, bytes) = files.find(|(known, _)| *known == path)?;
    std::str::from_utf8(bytes).ok()
}

/// The parts of the script that makes the disk, in the order of their names.
pub(crate) fn scripts() -> impl Iterator<Item = &'static str> {
    FILES.iter().filter_map(|(path, bytes)| {
        let path = Utf8Path::new(path);
        let is_part = path.parent() == Some(Utf8Path::new(BUILD)) && path.extension() == Some("sh");
        is_part.then(|| std::str::from_utf8(bytes).ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_there_and_no_test() {
        for path in ["nixos.toml", "system.nix", "guests/flake.nix"] {
            assert!(text(path).is_some(), "{path}");
        }
        assert!(FILES.iter().all(|(path, _)| !path.starts_with("tests/")));
    }

    #[test]
    fn parts_of_the_script_are_those_of_the_folder_in_their_order() {
        let folder = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../vm-images/nixos/debian/build"
        );
        let mut found: Vec<_> = std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "sh"))
            .collect();
        found.sort();
        let texts: Vec<_> = found
            .iter()
            .map(|path| std::fs::read_to_string(path).expect("a script"))
            .collect();
        assert_eq!(scripts().collect::<Vec<_>>(), texts);
    }
}
