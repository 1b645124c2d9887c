use std::{
    io::{BufRead, BufReader},
    os::{fd::OwnedFd, unix::net::UnixStream},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::*;

/// One end of a socket pair; the agent serves the other one.
struct Lab {
    socket: BufReader<UnixStream>,
}

impl Lab {
    fn new() -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        // Serves for ever; the process that runs the tests ends it.
        std::thread::spawn(|| Server::new(File::from(OwnedFd::from(theirs))).serve());
        Self {
            socket: BufReader::new(ours),
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.socket.get_mut().write_all(bytes).unwrap();
    }

    fn ask(&mut self, execute: &str, id: u64, arguments: Value) {
        let line = json!({ "execute": execute, "id": id, "arguments": arguments });
        self.send(format!("{line}\n").as_bytes());
    }

    /// Runs `script` and returns what it wrote to its standard output.
    fn run(&mut self, script: &str) -> String {
        self.ask("spawnlab-run", 1, sh(script));
        let told = self.hear()["return"].take();
        assert_eq!(told["exitcode"], 0, "{told}");
        text(&told["out-data"])
    }

    /// Runs commands until one finds a shell that has waited for it: whether the agent starts one first or
    /// takes the next command first is up to who is quicker.
    fn with_a_waiting_shell(&mut self, script: &str) -> String {
        let script = format!("tr '\\0' ' ' </proc/$$/cmdline; echo; {script}");
        let end = Instant::now() + Duration::from_secs(60);
        while Instant::now() < end {
            let said = self.run(&script);
            let (shell, rest) = said.split_once('\n').expect("two lines");
            if shell.contains("/proc/self/fd/3") {
                return rest.to_owned();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("no shell ever waited");
    }

    fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.socket.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

fn sh(script: &str) -> Value {
    static TOKEN: AtomicU64 = AtomicU64::new(1);
    let token = TOKEN.fetch_add(1, Ordering::Relaxed);
    json!({ "token": token, "path": "/bin/sh", "arg": ["-c", script], "env": ["PATH=/usr/bin:/bin", "WORD=there"] })
}

fn text(data: &Value) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    String::from_utf8(STANDARD.decode(data.as_str().unwrap()).unwrap()).unwrap()
}

#[test]
fn streams_status_and_environment_come_back() {
    let mut lab = Lab::new();
    let mut arguments = sh("cat; echo $WORD >&2; exit 3");
    arguments["input-data"] = "aW4=".into();
    lab.ask("spawnlab-run", 7, arguments);
    let answer = lab.hear();
    assert_eq!(answer["id"], 7);
    let told = &answer["return"];
    assert_eq!(told["exitcode"], 3);
    assert_eq!(text(&told["out-data"]), "in");
    assert_eq!(text(&told["err-data"]), "there\n");
}

/// <https://github.com/hugelgupf/vmtest/issues/91>
#[test]
fn vmtest_91_the_middle_of_a_hundred_megabytes_is_cut_and_its_end_is_kept() {
    let mut lab = Lab::new();
    let script = "echo begin; head -c 100000000 /dev/zero; echo end; head -c 200000 /dev/zero >&2";
    lab.ask("spawnlab-run", 1, sh(script));
    let told = lab.hear()["return"].take();
    assert_eq!(told["exitcode"], 0);
    let kept = text(&told["out-data"]);
    assert_eq!(kept.len(), 16 << 20);
    assert!(kept.starts_with("begin\n") && kept.ends_with("end\n"));
    let cut = 6 + 100_000_000 + 4 - (16 << 20);
    assert_eq!(told["out-cut"], json!({ "at": 12 << 20, "bytes": cut }));
    assert_eq!(told["err-cut"], Value::Null);
    assert_eq!(text(&told["err-data"]).len(), 200_000);
}

/// <https://github.com/NixOS/nixpkgs/issues/144875>
#[test]
fn nixpkgs_144875_a_process_left_behind_does_not_hold_up_the_answer() {
    let mut lab = Lab::new();
    lab.ask("spawnlab-run", 1, sh("sleep 600 & echo up $!"));
    let told = lab.hear()["return"].take();
    assert_eq!(told["exitcode"], 0);
    let said = text(&told["out-data"]);
    let pid = said.strip_prefix("up ").expect("its number").trim();
    assert_eq!(told["held-by"], json!([format!("sleep[{pid}]")]));
    lab.run(&format!("kill {pid}"));
}

#[test]
fn what_is_left_behind_can_write_on_and_is_not_ended_for_it() {
    let mut lab = Lab::new();
    let dir = tempfile::tempdir().unwrap();
    let (go, done) = (dir.path().join("go"), dir.path().join("done"));
    let script = format!(
        "(until [ -e {go} ]; do sleep 0.1; done; head -c 1000000 /dev/zero && : >{done}) & :",
        go = go.display(),
        done = done.display()
    );
    lab.ask("spawnlab-run", 1, sh(&script));
    assert_eq!(lab.hear()["return"]["exitcode"], 0);
    lab.run(&format!(
        ": >{}; for try in $(seq 300); do [ -e {} ] && exit 0; sleep 0.1; done; exit 1",
        go.display(),
        done.display()
    ));
}

#[test]
fn what_still_writes_is_waited_for() {
    let mut lab = Lab::new();
    let said = lab.run("(for line in 1 2 3 4; do sleep 0.4; echo $line; done) & :");
    assert_eq!(said, "1\n2\n3\n4\n");
}

#[test]
fn commands_run_side_by_side_and_can_be_killed() {
    let mut lab = Lab::new();
    let sleep = sh("exec sleep 600");
    let token = sleep["token"].clone();
    lab.ask("spawnlab-run", 1, sleep);
    lab.ask("spawnlab-run", 2, sh("echo quick"));
    assert_eq!(lab.hear()["id"], 2);
    lab.ask("spawnlab-kill", 3, json!({ "token": token }));
    let (one, two) = (lab.hear(), lab.hear());
    let (kill, run) = if one["id"] == 3 {
        (one, two)
    } else {
        (two, one)
    };
    assert_eq!(kill["return"], true);
    assert_eq!(run["id"], 1);
    assert_eq!(run["return"]["signal"], 9);
    lab.ask("spawnlab-kill", 4, json!({ "token": token }));
    assert_eq!(lab.hear()["return"], false);
}

#[test]
fn a_shell_that_waited_is_like_any_other() {
    let mut lab = Lab::new();
    let said = lab.with_a_waiting_shell(
        "echo $WORD; cat; [ -e /proc/$$/fd/3 ] || echo closed; readlink /proc/$$/fd/0",
    );
    assert_eq!(said, "there\nclosed\n/dev/null\n");
    let script = "echo out; echo err >&2; exit 7";
    lab.ask("spawnlab-run", 3, sh(script));
    let told = lab.hear()["return"].take();
    assert_eq!(told["exitcode"], 7);
    assert_eq!(text(&told["out-data"]), "out\n");
    assert_eq!(text(&told["err-data"]), "err\n");
}

#[test]
fn a_shell_that_died_while_it_waited_is_replaced() {
    let mut lab = Lab::new();
    // Each kills whatever waits beside it, and the next command runs all the same.
    let kill = "for it in /proc/[0-9]*; do
            [ $it = /proc/$$ ] || ! grep -qs MARK=one-to-kill $it/environ || kill -9 ${it#/proc/}
        done; echo yes";
    let mut marked = sh(kill);
    marked["env"] = json!(["PATH=/usr/bin:/bin", "MARK=one-to-kill"]);
    for _ in 0..10 {
        lab.ask("spawnlab-run", 1, marked.clone());
        assert_eq!(text(&lab.hear()["return"]["out-data"]), "yes\n");
    }
}

#[test]
fn another_environment_gets_a_shell_of_its_own() {
    let mut lab = Lab::new();
    lab.with_a_waiting_shell("true");
    let mut other = sh("echo $WORD");
    other["env"] = json!(["PATH=/usr/bin:/bin", "WORD=other"]);
    lab.ask("spawnlab-run", 1, other);
    assert_eq!(text(&lab.hear()["return"]["out-data"]), "other\n");
}

#[test]
fn a_script_that_no_pipe_holds_is_run_like_any_other() {
    let mut lab = Lab::new();
    lab.with_a_waiting_shell("true");
    let script = format!("echo begin; {} echo end", ": filler;".repeat(8_000));
    assert_eq!(lab.run(&script), "begin\nend\n");
}

#[test]
fn what_a_killed_command_started_ends_with_it() {
    let mut lab = Lab::new();
    let group = sh("sleep 600 | cat; echo never");
    let token = group["token"].clone();
    lab.ask("spawnlab-run", 1, group);
    lab.ask("spawnlab-kill", 2, json!({ "token": token }));
    assert_eq!(lab.hear()["return"], true);
    // Were the sleep still there, it would hold the streams open and there would be no answer.
    assert_eq!(lab.hear()["return"]["signal"], 9);
}

#[test]
fn a_resumed_host_without_its_mark_is_refused() {
    let mut lab = Lab::new();
    let arguments = json!({ "seconds": 1, "nanoseconds": 0, "seed": "", "nonce": "/nowhere" });
    lab.ask("spawnlab-resumed", 1, arguments);
    let desc = lab.hear()["error"]["desc"].take();
    assert!(desc.as_str().unwrap().contains("No such file"), "{desc}");
}

#[test]
fn a_fresh_start_drops_half_a_line() {
    let mut lab = Lab::new();
    lab.send(b"{\"execute\": \"spawnl");
    lab.send(&[0xff]);
    lab.ask("guest-sync-delimited", 5, json!({ "id": 99 }));
    let mut mark = [0];
    lab.socket.read_exact(&mut mark).unwrap();
    assert_eq!(mark, [0xff]);
    assert_eq!(lab.hear()["return"], 99);
}

#[test]
fn what_is_not_known_or_not_there_is_refused() {
    let mut lab = Lab::new();
    lab.ask("guest-get-users", 1, Value::Null);
    assert_eq!(lab.hear()["error"]["class"], "CommandNotFound");
    lab.ask(
        "spawnlab-run",
        2,
        json!({ "path": "/nowhere/program", "token": 1 }),
    );
    let answer = lab.hear();
    assert_eq!(answer["id"], 2);
    assert!(
        answer["error"]["desc"]
            .as_str()
            .unwrap()
            .contains("No such file")
    );
    lab.send(b"not json\n");
    assert_eq!(lab.hear()["error"]["class"], "GenericError");
}
