//! The command, without what the environment of these tests says to it.

use assert_cmd::Command;

pub(crate) fn spawnlab(args: &[&str]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spawnlab"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SPAWNLAB_")) {
        command.env_remove(name);
    }
    command
        .env("COLUMNS", "100")
        .args(args)
        .output()
        .expect("it can be started")
}

pub(crate) fn stdout(output: &std::process::Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

pub(crate) fn stderr(output: &std::process::Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}
