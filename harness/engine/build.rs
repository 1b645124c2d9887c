//! Lists what NixOS hosts are made of, so that the program carries it along.

#[path = "../embed.rs"]
mod embed;

fn main() -> std::io::Result<()> {
    // Its files keep their paths in it.
    embed::list("nixos_files.rs", "../..", &[("vm-images/nixos", "")])
}
