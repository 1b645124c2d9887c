//! Ctrl-C in the middle of everything: `spawnlab` gets SIGINT, once or twice, and has to end with 130,
//! leaving no process, no folder and no lock behind, and the evidence of what it was doing.
//!
//! With real VMs and a cache of its own; one test, because each step begins with what the one before has
//! left behind.

mod common;

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::{Duration, Instant},
};

use common::default_image;
use rustix::process::{Pid, Signal, kill_process};

const SCENARIO: &str = "names::name_is_the_leased_address";
/// Longer than any step takes on a busy machine without KVM.
const LIMIT: Duration = Duration::from_secs(600);
/// The end is promised within 5 s. On a busy machine that is no figure to assert, but a wait has an end.
const END: Duration = Duration::from_secs(60);

struct Lab {
    dir: tempfile::TempDir,
    image: String,
}

impl Lab {
    fn new() -> Self {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        for name in ["cache", "tmp"] {
            std::fs::create_dir(dir.path().join(name)).expect("a folder");
        }
        Self {
            dir,
            image: default_image(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `spawnlab ARGS` with the lab's own cache and temporary folder.
    fn start(&self, args: &[&str]) -> Running {
        let mut child = Command::new(env!("CARGO_BIN_EXE_spawnlab"))
            .args(args)
            .env("SPAWNLAB_CACHE", self.path("cache"))
            .env("TMPDIR", self.path("tmp"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it can be started");
        let (sender, lines) = channel();
        let streams: [Box<dyn std::io::Read + Send>; 2] = [
            Box::new(child.stdout.take().expect("a pipe")),
            Box::new(child.stderr.take().expect("a pipe")),
        ];
        for stream in streams {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        Running {
            child,
            lines,
            seen: vec![],
        }
    }

    /// Runs the scenario, and stops it once `when` holds, with `signals` signals. Returns its lines.
    fn stopped(
        &self,
        what: &str,
        args: &[&str],
        signals: usize,
        when: impl Fn(&[String]) -> bool,
    ) -> Vec<String> {
        let mut running = self.start(args);
        running.until(what, when);
        let begin = Instant::now();
        for signal in 0..signals {
            if signal > 0 {
                // Two at the same moment are one to the process.
                std::thread::sleep(Duration::from_millis(5));
            }
            running.interrupt();
        }
        let code = running.ends(what);
        eprintln!(
            "{what}: ended {} ms after {signals} signal(s)",
            begin.elapsed().as_millis()
        );
        assert_eq!(code, Some(130), "{what}: {:#?}", running.seen);
        self.nothing_is_left(what);
        std::mem::take(&mut running.seen)
    }

    fn nothing_is_left(&self, what: &str) {
        let dir = self.dir.path().to_str().expect("UTF-8");
        let begin = Instant::now();
        // The kernel ends children a moment after their parent.
        while let Some(left) = processes(dir).first() {
            assert!(begin.elapsed() < END, "{what}: still there: {left}");
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut left = vec![];
        folders(self.dir.path(), &mut left);
        assert!(left.is_empty(), "{what}: left behind: {left:#?}");
        let doctor = Command::new(env!("CARGO_BIN_EXE_spawnlab"))
            .args(["doctor", "--json"])
            .env("SPAWNLAB_CACHE", self.path("cache"))
            .env("TMPDIR", self.path("tmp"))
            .output()
            .expect("it can be started");
        let seen: serde_json::Value = serde_json::from_slice(&doctor.stdout).expect("JSON");
        for kind in ["scratch", "images", "layers"] {
            let left = &seen["probes"]["leftovers"][kind];
            assert_eq!(left, &serde_json::json!([]), "{what}: {kind}");
        }
    }

    fn being_built(&self, folder: &str, name: &str) -> bool {
        let entries = std::fs::read_dir(self.path("cache").join(folder));
        let mut building = entries
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.to_string_lossy().contains("/.building-"));
        building.any(|path| path.join(name).exists())
    }
}

struct Running {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Running {
    fn until(&mut self, what: &str, when: impl Fn(&[String]) -> bool) {
        let begin = Instant::now();
        while !when(&self.seen) {
            assert!(
                begin.elapsed() < LIMIT,
                "{what} never came: {:#?}",
                self.seen
            );
            match self.lines.recv_timeout(Duration::from_millis(5)) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("it ended before {what}: {:#?}", self.seen)
                }
            }
        }
    }

    fn interrupt(&self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::INT).expect("it is there");
    }

    fn ends(&mut self, what: &str) -> Option<i32> {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                self.seen.extend(self.lines.try_iter());
                return status.code();
            }
            assert!(begin.elapsed() < END, "{what}: it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Command lines of processes that have `word` in theirs, or are at home there.
fn processes(word: &str) -> Vec<String> {
    let own = std::process::id().to_string();
    let entries = std::fs::read_dir("/proc").expect("readable").flatten();
    let lines = entries
        .filter(|entry| entry.file_name() != *own)
        .filter_map(|entry| {
            let bytes = std::fs::read(entry.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&bytes).replace('\0', " ");
            let home = std::fs::read_link(entry.path().join("cwd")).unwrap_or_default();
            Some(format!("{line} (in {})", home.display()))
        });
    lines.filter(|line| line.contains(word)).collect()
}

/// Folders below `dir` that are nobody's after the end.
fn folders(dir: &Path, left: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let dead = [".building-", "vm-", "lab-disk-", "spawnlab-build-", ".tmp"];
        if dead.iter().any(|dead| name.starts_with(dead)) {
            left.push(path);
        } else if path.is_dir() {
            folders(&path, left);
        }
    }
}

fn begun(seen: &[String], what: &str) -> bool {
    let said = |line: &String| line.starts_with("begin") && line.ends_with(what);
    seen.iter().any(said)
}

fn reused(seen: &[String]) -> bool {
    let said = |line: &String| line.starts_with("reused") && line.contains("layer deployed");
    seen.iter().any(said)
}

#[test]
fn interrupted_anywhere_it_ends_with_130_and_leaves_nothing() {
    let lab = Lab::new();
    let report = lab.path("report");
    let report = report.to_str().expect("UTF-8");
    let run = [
        "run", "--exact", SCENARIO, "--image", &lab.image, "--report", report,
    ];

    for signals in [1, 2] {
        let building = ["image", "build", "--refresh"];
        lab.stopped("the image's build", &building, signals, |_| {
            lab.being_built("images", "log/assemble.log")
                || lab.being_built("images", "log/host.log")
        });
    }
    lab.stopped("the first layer", &run, 1, |_| {
        lab.being_built("layers", "ram")
    });
    lab.stopped("the first layer, twice", &run, 2, |_| {
        lab.being_built("layers", "ram")
    });
    lab.stopped("provisioning", &run, 1, |seen| begun(seen, "layer host"));
    lab.stopped("deploying", &run, 1, |seen| begun(seen, "layer deployed"));

    let mut whole = lab.start(&run);
    assert_eq!(whole.ends_well(), Some(0), "{:#?}", whole.seen);

    // A clone at work has noted a command; what it noted has to stay.
    let commands = Path::new(report).join("evidence/names/name_is_the_leased_address/commands.log");
    for signals in [1, 2] {
        let _ = std::fs::remove_file(&commands);
        lab.stopped("a scenario", &run, signals, |seen| {
            reused(seen) && commands.exists()
        });
        assert!(commands.exists(), "the evidence is gone");
    }
    let scratch = lab.path("tmp");
    let cloned = |seen: &[String]| {
        let mut vms = vec![];
        folders(&scratch, &mut vms);
        // One is that of the command itself, the other that of its VM.
        reused(seen) && vms.len() > 1
    };
    let explain = ["explain", "web", "--image", &lab.image];
    lab.stopped("explain", &explain, 1, cloned);

    let image = format!("image={}", lab.image);
    let verify = [
        "verify",
        "--base",
        "firewall=off",
        "--base",
        &image,
        "--change",
        "firewall=nixos",
        "--change",
        &image,
        "--repeat",
        "1",
        "--exact",
        SCENARIO,
        "--report",
        report,
    ];
    // Once both sides have this layer, the one under the firewall is built.
    lab.stopped("verify", &verify, 1, |seen| {
        let deployed = seen.iter().filter(|line| line.contains("layer deployed ("));
        deployed.count() == 2
    });
}

impl Running {
    fn ends_well(&mut self) -> Option<i32> {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                self.seen.extend(self.lines.try_iter());
                return status.code();
            }
            assert!(begin.elapsed() < LIMIT, "it does not end: {:#?}", self.seen);
            self.seen
                .extend(self.lines.recv_timeout(Duration::from_millis(50)));
        }
    }
}
