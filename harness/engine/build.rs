//! Lists what NixOS hosts are made of, so that the program carries it along.

use std::{
    env,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

/// The folder in the repository; its files keep their paths in it.
const SOURCE: &str = "vm-images/nixos";

fn main() -> io::Result<()> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let root = here.join("../..").join(SOURCE).canonicalize()?;
    println!("cargo::rerun-if-changed={}", root.display());
    let mut list = String::from("&[\n");
    add(&mut list, &root, Path::new(""))?;
    list.push(']');
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("nixos_files.rs"), list)
}

fn add(list: &mut String, source: &Path, destination: &Path) -> io::Result<()> {
    if source.is_dir() {
        let mut entries = fs::read_dir(source)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            // Tests of the Nix code stay at home: editing one must not cost an image.
            if entry.file_name() != "tests" {
                add(list, &entry.path(), &destination.join(entry.file_name()))?;
            }
        }
        return Ok(());
    }
    let _ = writeln!(list, "    ({destination:?}, include_bytes!({source:?})),");
    Ok(())
}
