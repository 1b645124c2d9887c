//! Runs `gather.sh`, on a host or right here.

use std::{process::Stdio, time::Duration};

use tokio::{io::AsyncWriteExt, process::Command};

use super::{Endpoint, Facts};
use crate::{
    util::error::{Error, Result, Timeout},
    vm::{container::quote, host::Host},
};

/// The way to the container, then the way from it to others and from them to it.
const SCRIPT: &str = concat!(include_str!("gather.sh"), include_str!("beyond.sh"));

/// How long any single program may take for its answer, with KVM.
const ANSWER: Duration = Duration::from_secs(8);
/// How long a connection may take, with KVM.
const CONNECT: Duration = Duration::from_secs(2);
/// How long all of it may take, with KVM. What was gathered by then is judged: a link that is down can make
/// one program after the other wait for its answer.
const ALL: Duration = Duration::from_secs(45);

fn script(endpoint: &Endpoint, answer: Duration, connect: Duration) -> String {
    format!(
        "set -- {} {} {} {} {}\n{SCRIPT}",
        quote(&endpoint.container),
        quote(&endpoint.service),
        endpoint.port,
        answer.as_secs(),
        connect.as_secs(),
    )
}

/// Ends the shell behind it once the program that it waits for has answered or given up.
fn cut_off(all: Duration, answer: Duration) -> [String; 3] {
    let timeout_factor = answer + Duration::from_secs(1);
    [
        "timeout".to_owned(),
        format!("--kill-after={}", timeout_factor.as_secs()),
        all.as_secs().to_string(),
    ]
}

pub(super) async fn on(host: &Host, endpoint: &Endpoint) -> Result<Facts> {
    let answer = host.limit(ANSWER);
    let script = script(endpoint, answer, host.limit(CONNECT));
    let command = format!(
        "exec {} /bin/sh -c {}",
        cut_off(host.limit(ALL), answer).join(" "),
        quote(&script)
    );
    let output = host.execute_with(&command, b"", ALL + 2 * ANSWER).await?;
    Ok(Facts::read(endpoint, &output.stdout))
}

pub(super) async fn here(endpoint: &Endpoint) -> Result<Facts> {
    let limit = ALL + 2 * ANSWER;
    // The script comes as input and not as an argument, to which the kernel sets a limit.
    let [timeout, words @ ..] = cut_off(ALL, ANSWER);
    let mut shell = Command::new(timeout)
        .args(words)
        .arg("/bin/sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .env("SYSTEMD_COLORS", "0")
        .env("LANG", "C.UTF-8")
        .kill_on_drop(true)
        .spawn()?;
    let stdin = shell.stdin.take();
    let run = async {
        if let Some(mut stdin) = stdin {
            let script = script(endpoint, ANSWER, CONNECT * 2);
            stdin.write_all(script.as_bytes()).await?;
        }
        shell.wait_with_output().await
    };
    match tokio::time::timeout(limit, run).await {
        Ok(output) => Ok(Facts::read(
            endpoint,
            &String::from_utf8_lossy(&output?.stdout),
        )),
        Err(_) => Err(Error::Timeout(Timeout {
            what: "the facts about this machine".into(),
            waited: limit,
            last: "a shell at work".into(),
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_a_script() {
        let status = std::process::Command::new("/bin/sh")
            .args(["-n", "-c", SCRIPT])
            .status()
            .unwrap();
        assert!(status.success());
    }

    #[tokio::test]
    async fn a_container_that_nobody_knows_is_walked_to_all_the_same() {
        let endpoint = Endpoint::to("spawnlab; touch /nowhere 'x");
        let facts = here(&endpoint).await.unwrap();
        assert!(facts.said("host").is_some());
        assert_eq!(facts.said("address"), None);
    }
}
