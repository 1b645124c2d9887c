//! Slots hold over processes, and a killed process gives its own back.

use std::{
    io::{BufRead, BufReader},
    num::NonZeroUsize,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use camino::Utf8Path;
use spawnlab::vm::slots::{Bound, Slots};

const CACHE: &str = "SPAWNLAB_TEST_SLOTS";
/// Far longer than a busy machine needs to start a process.
const LIMIT: Duration = Duration::from_secs(60);

/// Not a test of its own: a process that takes a slot, says so, and keeps it.
#[tokio::test]
async fn one_that_takes_a_slot() {
    let Ok(cache) = std::env::var(CACHE) else {
        return;
    };
    let processors = NonZeroUsize::new(2).expect("not zero");
    let slots = Slots::open(Utf8Path::new(&cache), Bound::Machine { processors });
    let slots = slots.expect("a folder");
    println!("\nasks");
    let tell = |held| println!("\nwaits: {held}");
    let slot = slots.take_telling(NonZeroUsize::MIN, tell).await;
    let _slot = slot.expect("a slot");
    println!("\nhas one");
    std::future::pending::<()>().await;
}

struct Holder(Child);

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts one and returns it with what it says.
fn holder(cache: &Utf8Path) -> (Holder, Receiver<String>) {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "one_that_takes_a_slot", "--nocapture"])
        .env(CACHE, cache)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let (sender, said) = channel();
    std::thread::spawn(move || {
        let told =
            |line: &String| line == "asks" || line == "has one" || line.starts_with("waits: ");
        for line in lines.map_while(Result::ok).filter(told) {
            let _ = sender.send(line);
        }
    });
    (Holder(child), said)
}

#[test]
fn a_killed_process_gives_its_slot_to_one_that_waits() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = Utf8Path::from_path(dir.path()).expect("UTF-8");
    let (first, said) = holder(cache);
    assert_eq!(said.recv_timeout(LIMIT).as_deref(), Ok("asks"));
    assert_eq!(said.recv_timeout(LIMIT).as_deref(), Ok("has one"));
    let (second, said) = holder(cache);
    assert_eq!(said.recv_timeout(LIMIT).as_deref(), Ok("asks"));
    assert_eq!(said.recv_timeout(LIMIT).as_deref(), Ok("has one"));
    let (_third, said) = holder(cache);
    assert_eq!(said.recv_timeout(LIMIT).as_deref(), Ok("asks"));
    // It waits, and says for whom.
    let waits = said.recv_timeout(LIMIT).expect("it says so");
    for holder in [&first, &second] {
        let words = format!("process {} (slots-", holder.0.id());
        assert!(waits.contains(&words), "{waits}");
    }
    drop(first);
    loop {
        match said.recv_timeout(LIMIT).as_deref() {
            Ok("has one") => break,
            Ok(waits) => assert!(waits.starts_with("waits: 1 VM; "), "{waits}"),
            Err(error) => panic!("it gets none: {error}"),
        }
    }
}
