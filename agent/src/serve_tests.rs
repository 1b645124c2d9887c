use std::{
    io::Read,
    os::unix::net::UnixStream,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::*;

/// One end of a socket pair; the agent serves the other one until this is dropped.
struct Lab {
    socket: io::BufReader<UnixStream>,
}

impl Lab {
    fn new() -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        std::thread::spawn(move || {
            let reader = io::BufReader::new(theirs.try_clone().unwrap());
            serve(reader, Arc::new(Answers::new(theirs))).unwrap();
        });
        Self {
            socket: io::BufReader::new(ours),
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.socket.get_mut().write_all(bytes).unwrap();
    }

    fn ask(&mut self, execute: &str, id: u64, arguments: Value) {
        let line = json!({ "execute": execute, "id": id, "arguments": arguments });
        self.send(format!("{line}\n").as_bytes());
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

#[test]
fn much_on_both_streams_is_read_and_cut_at_the_limit() {
    let mut lab = Lab::new();
    let script = "head -c 17000000 /dev/zero; head -c 200000 /dev/zero >&2";
    lab.ask("spawnlab-run", 1, sh(script));
    let told = lab.hear()["return"].take();
    assert_eq!(told["out-truncated"], true);
    assert_eq!(told["err-truncated"], false);
    assert_eq!(text(&told["out-data"]).len(), 16 << 20);
    assert_eq!(text(&told["err-data"]).len(), 200_000);
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
