//! The scenarios as tests: `cargo test -p scenarios --test vm` and `cargo nextest run` know them by the
//! names that `spawnlab list` shows. Saboteurs are there, too, as ignored tests: `-- --ignored`
//! proves them. `spawnlab::suite` says which variables mean what the options of `spawnlab run` mean.

use std::process::ExitCode;

use scenarios::{assets, cli::known, registry};
use spawnlab::run::suite::Suite;

fn main() -> ExitCode {
    match known::built_in() {
        Ok(known) => Suite::of(registry::scenarios())
            .subject(assets::subject())
            .known(known)
            .main(),
        Err(trouble) => {
            eprintln!("{trouble}");
            ExitCode::FAILURE
        }
    }
}
