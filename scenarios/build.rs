//! Lists what the command carries along: what goes onto the lab disk from this repository, and our two programs that run
//! in hosts.

#[path = "../harness/embed.rs"]
mod embed;
#[path = "../harness/own_programs.rs"]
mod own_programs;

/// Folder or file in the repository, and its path on the lab disk.
const SOURCES: [(&str, &str); 4] = [
    ("scenarios/lab/containers.nix", "containers.nix"),
    ("scenarios/lab/tools", "tools"),
    ("tooling/nix", "nix"),
    ("vm-images/guests", "guests"),
];

fn main() -> std::io::Result<()> {
    embed::list("lab_files.rs", "..", &SOURCES)?;
    own_programs::embed("own_programs.rs", "..")
}
