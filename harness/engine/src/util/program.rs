//! Programs of the machine that the lab runs on.

use std::{
    process::{Output, Stdio},
    time::Duration,
};

use camino::Utf8PathBuf;
use tokio::{io::AsyncWriteExt as _, process::Command};

use super::error::{Error, Result};

/// Where an ordinary user does not look, and Debian has `mke2fs`, `debugfs` and `chroot`.
const MORE_FOLDERS: &str = "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin";

/// A `PATH`: the user's own, and the folders that an ordinary user's lacks.
#[must_use]
pub fn search_path() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{path}:{MORE_FOLDERS}")
}

/// Where `program` is, if it is in one of the folders of [`search_path`].
#[must_use]
pub fn find(program: &str) -> Option<Utf8PathBuf> {
    let path = search_path();
    let mut places = path
        .split(':')
        .map(|folder| Utf8PathBuf::from(folder).join(program));
    places.find(|place| place.is_file())
}

/// Runs `command`, which reads `input`, to its end, for at most `limit`.
///
/// # Errors
/// When it does not end in time, or can't be started: then the message says to install `packages`.
pub async fn output(
    command: &mut Command,
    input: &str,
    limit: Duration,
    packages: &str,
) -> Result<Output> {
    let name = command
        .as_std()
        .get_program()
        .to_string_lossy()
        .into_owned();
    let mut child = command
        .stdin(match input {
            "" => Stdio::null(),
            _ => Stdio::piped(),
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| {
            Error::Machine(format!(
                "{name} could not be started: {error}; install {packages} (ci/lab does)"
            ))
        })?;
    let whole = async {
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes()).await?;
        }
        child.wait_with_output().await
    };
    match tokio::time::timeout(limit, whole).await {
        Ok(output) => Ok(output?),
        Err(_) => Err(Error::Machine(format!(
            "{name} did not end within {} s",
            limit.as_secs()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_program_reads_and_is_read() {
        let output = output(Command::new("cat").arg("-"), "word", LIMIT, "coreutils").await;
        assert_eq!(output.expect("it ends").stdout, b"word");
    }

    #[tokio::test]
    async fn one_that_is_not_there_or_does_not_end_is_one_message() {
        let missing = output(&mut Command::new("no-such-program"), "", LIMIT, "it").await;
        let missing = missing.expect_err("it is not there").to_string();
        assert!(missing.starts_with("no-such-program could not be started"));
        assert!(missing.ends_with("install it (ci/lab does)"), "{missing}");
        let soon = Duration::from_millis(10);
        let late = output(Command::new("sleep").arg("600"), "", soon, "coreutils").await;
        let late = late.expect_err("it does not end").to_string();
        assert_eq!(late, "sleep did not end within 0 s");
    }

    #[test]
    fn programs_of_root_are_found_by_all() {
        assert!(find("sh").is_some());
        assert!(find("no-such-program").is_none());
        assert!(search_path().ends_with("/usr/sbin:/sbin:/usr/bin:/bin"));
    }
}
