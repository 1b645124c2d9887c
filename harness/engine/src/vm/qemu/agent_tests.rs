use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// An agent that answers from a table of (command, answer); `None` keeps silent.
async fn play(mut stream: UnixStream, script: Vec<(&'static str, Option<Value>)>) {
    let mut script = script.into_iter();
    let mut buffer = Vec::new();
    loop {
        let mut byte = [0];
        if stream.read(&mut byte).await.unwrap_or(0) == 0 {
            return;
        }
        if byte[0] != b'\n' {
            buffer.push(byte[0]);
            continue;
        }
        let from = buffer
            .iter()
            .rposition(|b| *b == 0xff)
            .map_or(0, |at| at + 1);
        let request: Value = serde_json::from_slice(&buffer[from..]).expect("JSON");
        buffer.clear();
        let Some((command, answer)) = script.next() else {
            return;
        };
        assert_eq!(request["execute"], command);
        if let Some(answer) = answer {
            let line = if answer == UNKNOWN {
                json!({ "error": { "class": "CommandNotFound", "desc": "no" }, "id": request["id"] })
            } else {
                json!({ "return": answer, "id": request["id"] })
            };
            let line = format!("{line}\n");
            stream.write_all(line.as_bytes()).await.expect("writable");
        }
    }
}

fn agent(script: Vec<(&'static str, Option<Value>)>) -> Agent {
    let (ours, theirs) = UnixStream::pair().expect("a socket pair");
    tokio::spawn(play(theirs, script));
    Agent::new(ours)
}

const SYNC: &str = "guest-sync-delimited";
/// Stands for the refusal of a command that the agent does not know.
const UNKNOWN: &str = "unknown";
const RUN: &str = "spawnlab-run";

#[tokio::test]
async fn a_command_is_polled_until_it_ends() {
    let agent = agent(vec![
        (SYNC, Some(json!(1))),
        (RUN, Some(json!(UNKNOWN))),
        ("guest-exec", Some(json!({ "pid": 42 }))),
        ("guest-exec-status", Some(json!({ "exited": false }))),
        (
            "guest-exec-status",
            Some(json!({ "exited": true, "exitcode": 3, "out-data": "aGk=", "err-data": "bm8=" })),
        ),
    ]);
    let output = agent
        .shell("echo hi", b"", Duration::from_secs(5))
        .await
        .unwrap();
    assert_eq!(
        output,
        Output {
            status: Status::Exit(3),
            stdout: "hi".into(),
            stderr: "no".into(),
            notes: vec![],
        }
    );
}

#[tokio::test]
async fn the_labs_own_agent_answers_once_and_is_asked_first() {
    let ended = json!({ "exited": true, "exitcode": 0, "out-data": "aGk=", "err-data": "" });
    let agent = agent(vec![
        (SYNC, Some(json!(1))),
        (RUN, Some(ended.clone())),
        (RUN, Some(ended)),
    ]);
    for _ in 0..2 {
        let output = agent.shell("x", b"", Duration::from_secs(5)).await.unwrap();
        assert_eq!(
            (output.status, output.stdout.as_str()),
            (Status::Exit(0), "hi")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_takes_too_long_is_killed_by_the_labs_own_agent() {
    let agent = agent(vec![
        (SYNC, Some(json!(1))),
        (RUN, None),
        ("spawnlab-kill", Some(json!(true))),
    ]);
    let error = agent
        .shell("sleep 9", b"", Duration::from_secs(5))
        .await
        .unwrap_err();
    let Error::Timeout(timeout) = error else {
        panic!("{error}");
    };
    assert_eq!(timeout.what, "`sleep 9` to end");
    assert_eq!(timeout.last, "it still ran, and was killed");
}

#[tokio::test]
async fn a_resumed_host_costs_one_request_or_a_command() {
    let now = Duration::new(1_700_000_000, 5);
    let own = agent(vec![("spawnlab-resumed", Some(json!("key\n")))]);
    let limit = Duration::from_secs(5);
    assert_eq!(
        own.resumed(now, "/run/nonce", limit).await.unwrap(),
        "key\n"
    );
    let polled = agent(vec![
        ("spawnlab-resumed", Some(json!(UNKNOWN))),
        (SYNC, Some(json!(1))),
        ("guest-exec", Some(json!({ "pid": 42 }))),
        (
            "guest-exec-status",
            Some(json!({ "exited": true, "exitcode": 0, "out-data": "aGk=" })),
        ),
    ]);
    assert_eq!(
        polled.resumed(now, "/run/nonce", limit).await.unwrap(),
        "hi"
    );
}

#[tokio::test]
async fn a_signal_is_no_exit_code() {
    let agent = agent(vec![
        (SYNC, Some(json!(1))),
        (RUN, Some(json!(UNKNOWN))),
        ("guest-exec", Some(json!({ "pid": 42 }))),
        (
            "guest-exec-status",
            Some(json!({ "exited": true, "signal": 9 })),
        ),
    ]);
    let output = agent.shell("x", b"", Duration::from_secs(5)).await.unwrap();
    assert_eq!(output.status, Status::Signal(9));
    assert!(!output.status.success());
}

#[tokio::test(start_paused = true)]
async fn after_an_unanswered_request_it_synchronises_first() {
    let agent = agent(vec![
        (SYNC, Some(json!(1))),
        ("guest-ping", None),
        (SYNC, Some(json!(1))),
        ("guest-ping", Some(json!({}))),
    ]);
    let error = agent.request("guest-ping", Value::Null).await.unwrap_err();
    assert!(matches!(error, Error::Agent(_)), "{error}");
    agent.request("guest-ping", Value::Null).await.unwrap();
}

#[tokio::test]
async fn a_cancelled_command_leaves_the_agent_usable() {
    let agent = agent(vec![
        (SYNC, Some(json!(1))),
        (RUN, Some(json!(UNKNOWN))),
        ("guest-exec", None),
        ("guest-ping", Some(json!({}))),
    ]);
    let impatient = agent.shell("sleep 1000", b"", Duration::from_secs(1000));
    let cut = tokio::time::timeout(Duration::from_millis(50), impatient).await;
    assert!(cut.is_err(), "the command never answers");
    agent.request("guest-ping", Value::Null).await.unwrap();
}

#[tokio::test]
async fn a_dead_qemu_is_noticed_while_waiting_for_the_agent() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    drop(theirs);
    let error = Agent::new(ours)
        .wait(Duration::from_secs(60))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Agent(_)), "{error}");
}

#[test]
fn messages_show_one_short_line() {
    assert_eq!(first_line("true"), "true");
    assert_eq!(first_line("\n a\nb"), "a …");
}
