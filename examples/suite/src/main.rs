//! The whole `spawnlab` command, for the scenarios of this crate: `cargo run -- list`.

fn main() -> std::process::ExitCode {
    spawnlab_cli::main(suite::suite())
}
