//! Lists what goes onto the lab disk from this repository, so that the command carries it along.

use std::{
    env,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

/// Folder or file in the repository, and its place on the lab disk.
const SOURCES: [(&str, &str); 4] = [
    ("scenarios/lab/containers.nix", "containers.nix"),
    ("scenarios/lab/tools", "tools"),
    ("tooling/nix", "nix"),
    ("vm-images/guests", "guests"),
];

fn main() -> io::Result<()> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let root = here.parent().unwrap_or(&here).to_owned();
    let mut list = String::from("&[\n");
    for (source, destination) in SOURCES {
        let source = root.join(source);
        println!("cargo::rerun-if-changed={}", source.display());
        add(&mut list, &source, Path::new(destination))?;
    }
    list.push(']');
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("lab_files.rs"), list)
}

fn add(list: &mut String, source: &Path, destination: &Path) -> io::Result<()> {
    if source.is_dir() {
        let mut entries = fs::read_dir(source)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            // Tests of the Nix code stay at home: editing one must not cost a deployed layer.
            if entry.file_name() != "tests" {
                add(list, &entry.path(), &destination.join(entry.file_name()))?;
            }
        }
        return Ok(());
    }
    let _ = writeln!(list, "    ({destination:?}, include_bytes!({source:?})),");
    Ok(())
}
