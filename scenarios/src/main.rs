//! The `spawnlab` command.

fn main() -> std::process::ExitCode {
    spawnlab_cli::main(scenarios::suite::suite())
}
