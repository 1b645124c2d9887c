//! The scenarios as tests: `cargo test -p spawnlab --test vm` and `cargo nextest run` know them by the
//! names that `spawnlab list` shows. Saboteurs are there, too, as ignored tests, and so is what only soak runs have:
//! `-- --ignored` proves and runs them. `spawnlab::run::suite` says which variables mean what the options of `spawnlab run` mean.

fn main() -> std::process::ExitCode {
    scenarios::suite::suite().main()
}
