//! The scenarios of this crate as tests: `cargo test`. `-- --ignored` proves them.

fn main() -> std::process::ExitCode {
    suite::suite().main()
}
