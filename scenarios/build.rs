//! Lists what goes onto the lab disk from this repository, so that the command carries it along.

#[path = "../harness/embed.rs"]
mod embed;

/// Folder or file in the repository, and its path on the lab disk.
const SOURCES: [(&str, &str); 4] = [
    ("scenarios/lab/containers.nix", "containers.nix"),
    ("scenarios/lab/tools", "tools"),
    ("tooling/nix", "nix"),
    ("vm-images/guests", "guests"),
];

fn main() -> std::io::Result<()> {
    embed::list("lab_files.rs", "..", &SOURCES)
}
