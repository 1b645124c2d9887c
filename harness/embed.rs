//! For build scripts: lists files of the repository, so that a program carries them along.

use std::{
    env,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

/// Writes the file `name` into the folder of what the build script makes: `(path, content)` of each file of `sources`,
/// as an array. A source is a folder or a file in the repository, whose root is `up` from the crate, and its destination.
pub(crate) fn list(name: &str, up: &str, sources: &[(&str, &str)]) -> io::Result<()> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let root = here.join(up).canonicalize()?;
    let mut list = String::from("&[\n");
    for (source, destination) in sources {
        let source = root.join(source);
        println!("cargo::rerun-if-changed={}", source.display());
        add(&mut list, &source, Path::new(destination))?;
    }
    list.push(']');
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join(name), list)
}

fn add(list: &mut String, source: &Path, destination: &Path) -> io::Result<()> {
    if source.is_dir() {
        let mut entries = fs::read_dir(source)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            // Tests of the Nix code stay at home: editing one must cost neither an image nor a deployed layer.
            if entry.file_name() != "tests" {
                add(list, &entry.path(), &destination.join(entry.file_name()))?;
            }
        }
        return Ok(());
    }
    let _ = writeln!(list, "    ({destination:?}, include_bytes!({source:?})),");
    Ok(())
}
