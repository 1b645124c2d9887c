//! What switches NixOS hosts and guests of the lab between systems: a program of the lab's own, or nixpkgs', which is compiled and
//! so has to be built elsewhere.

use camino::Utf8Path;

use super::inputs::NixosFile;
use crate::util::digest;

/// Where the program is among the lab's files. `stand-ins.nix` takes it where it is there.
const PLACE: &str = "vm-images/nixos/debian/switch-to-configuration";

/// The beginning of a compiled program.
const ELF: &[u8] = b"\x7fELF";

/// The compiled program `file` as one of the lab's files, or why it is none.
pub(crate) fn read(file: &Utf8Path) -> Result<NixosFile, String> {
    let content = std::fs::read(file).map_err(|error| format!("switch {file}: {error}"))?;
    if !content.starts_with(ELF) {
        return Err(format!(
            "switch {file}: it is no compiled program; nixpkgs' switch-to-configuration-ng, built, is one"
        ));
    }
    Ok(NixosFile {
        path: PLACE.into(),
        executable: true,
        content,
    })
}

/// What switches the systems that are made of `files`, in a report's words.
pub(crate) fn name(files: &[NixosFile]) -> String {
    let given = files.iter().find(|file| file.path == PLACE);
    given.map_or_else(
        || "the lab's own".to_owned(),
        |file| {
            let hash = digest::of([file.content.as_slice()]);
            format!("nixpkgs' own, as given (sha256 {})", &hash[..12])
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_tells_the_one_that_was_given_from_the_labs_own() {
        assert_eq!(name(&[]), "the lab's own");
        let dir = tempfile::tempdir().expect("a folder");
        let dir = Utf8Path::from_path(dir.path()).expect("UTF-8");
        let named = |text: &[u8]| {
            std::fs::write(dir.join("switch"), text).expect("written");
            name(&[read(&dir.join("switch")).expect("a program")])
        };
        let (one, other) = (named(b"\x7fELF 1"), named(b"\x7fELF 2"));
        assert!(one.starts_with("nixpkgs' own"), "{one}");
        assert_ne!(one, other);
    }
}
