//! Images that a flake builds: `nix build` makes the folder, and from there on it is a folder like any other.

use std::{
    ffi::OsStr,
    io::ErrorKind,
    process::{Command, Stdio},
};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{Error, Result, util::digest};

/// Whether `image` is a flake reference: it names an output, or begins with a scheme. Neither occurs
/// in the name of a recipe; folders and files that exist are looked for before this is asked.
fn is_reference(image: &str) -> bool {
    let scheme = image.split_once(':').map(|(scheme, _)| scheme);
    image.contains('#')
        || scheme.is_some_and(|scheme| {
            let mut letters = scheme.bytes();
            letters
                .next()
                .is_some_and(|first| first.is_ascii_lowercase())
                && letters.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        })
}

/// Whether `image` is built by a flake: neither a file nor a folder, but a reference.
#[must_use]
pub fn is_meant(image: &str) -> bool {
    is_reference(image) && !Utf8Path::new(image).exists()
}

/// Whether there is a Nix to build with.
#[must_use]
pub fn nix_is_there() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join("nix").is_file())
}

/// What is said where a nixpkgs is a flake reference and there is no Nix.
pub(super) const NO_NIX: &str = "a flake reference takes a Nix, and there is no command nix here; name the folder of a nixpkgs, or install Nix";

/// What `nix flake metadata --json` tells.
#[derive(serde::Deserialize)]
struct Metadata {
    path: Utf8PathBuf,
    revision: Option<String>,
}

/// The folder of the source that `reference` means, and its commit if it has one. What has to be fetched, Nix fetches;
/// its progress and errors go to this program's standard error.
///
/// # Errors
/// There is no Nix, or no such source.
pub(super) fn source(reference: &str) -> Result<(Utf8PathBuf, Option<String>)> {
    source_with("nix".as_ref(), reference)
}

fn source_with(nix: &OsStr, reference: &str) -> Result<(Utf8PathBuf, Option<String>)> {
    let failed = |why: String| Error::Image(format!("nixpkgs {reference}: {why}"));
    let output = Command::new(nix)
        .args(["--extra-experimental-features", "nix-command flakes"])
        .args(["flake", "metadata", "--json", "--no-write-lock-file"])
        .args(["--", reference])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => failed(NO_NIX.to_owned()),
            _ => failed(format!("nix could not be started: {error}")),
        })?;
    if !output.status.success() {
        return Err(failed(format!(
            "nix flake metadata ended with {}; what it said stands above",
            output.status
        )));
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout)
        .map_err(|error| failed(format!("nix flake metadata can't be read: {error}")))?;
    Ok((metadata.path, metadata.revision))
}

/// Builds `reference` with Nix, with `nixpkgs` in place of the flake's own if there is one, whose progress and errors go to this program's standard error, and
/// returns the image's folder. A link below `links` keeps it from Nix' garbage collection: layers
/// that were saved from an image need it again.
///
/// # Errors
/// There is no Nix, or the build fails.
pub(super) fn build(
    reference: &str,
    nixpkgs: Option<&str>,
    links: &Utf8Path,
) -> Result<Utf8PathBuf> {
    build_with("nix".as_ref(), reference, nixpkgs, links)
}

fn build_with(
    nix: &OsStr,
    reference: &str,
    nixpkgs: Option<&str>,
    links: &Utf8Path,
) -> Result<Utf8PathBuf> {
    let failed = |why: String| Error::Image(format!("image {reference}: {why}"));
    fs_err::create_dir_all(links)?;
    let parts = [Some(reference), nixpkgs].into_iter().flatten();
    let link = links.join(&digest::of(parts.map(str::as_bytes))[..16]);
    // This leaves the flake's lock file as it is.
    let other = nixpkgs.map(|nixpkgs| ["--override-input", "nixpkgs", nixpkgs]);
    let status = Command::new(nix)
        .args(["--extra-experimental-features", "nix-command flakes"])
        .args(["build", "--out-link", link.as_str()])
        .args(other.into_iter().flatten())
        .args(["--", reference])
        .stdin(Stdio::null())
        // A report may go to standard output.
        .stdout(Stdio::null())
        .status()
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => failed(
                "a flake reference is built with Nix, and there is no command nix here; \
                 install Nix, or name a recipe or the folder of a built image"
                    .to_owned(),
            ),
            _ => failed(format!("nix could not be started: {error}")),
        })?;
    if !status.success() {
        return Err(failed(format!(
            "nix build ended with {status}; what it said stands above"
        )));
    }
    link.canonicalize_utf8()
        .map_err(|error| failed(format!("nix build succeeded, and left no result: {error}")))
}

#[cfg(test)]
#[path = "flake_tests.rs"]
mod tests;
