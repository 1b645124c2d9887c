//! The cache under attack, with real VMs: `spawnlab` is killed with SIGKILL in the middle of everything
//! it does, and its layers are damaged behind its back. Each time no QEMU may be left, and the next
//! run has to come to the right verdict.
//!
//! One test, because each step begins with what the one before it has left behind.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead, BufReader},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::{Duration, Instant},
};

const SCENARIO: &str = "names::name_is_the_leased_address";
/// Longer than any step takes on a busy machine without KVM.
const LIMIT: Duration = Duration::from_secs(600);

struct Lab {
    dir: tempfile::TempDir,
    image: String,
}

/// A `spawnlab run` in the middle of its work.
struct Running {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Lab {
    /// A cache of its own with the image of the user's cache, which is built first if need be.
    fn new() -> Self {
        let built = Command::new(env!("CARGO_BIN_EXE_spawnlab"))
            .args(["image", "build"])
            .stderr(Stdio::inherit())
            .output()
            .expect("it can be started");
        assert!(built.status.success(), "the image could not be built");
        let image = String::from_utf8(built.stdout).expect("UTF-8");
        Self {
            // Not below /tmp, which may be in memory and small.
            dir: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder"),
            image: image.trim().to_owned(),
        }
    }

    fn layers(&self) -> PathBuf {
        self.dir.path().join("cache/layers")
    }

    fn start(&self) -> Running {
        std::fs::create_dir_all(self.dir.path().join("cache")).expect("a folder");
        let mut child = Command::new(env!("CARGO_BIN_EXE_spawnlab"))
            .args([
                "run",
                "--exact",
                SCENARIO,
                "--image",
                &self.image,
                "--report",
            ])
            .arg(self.dir.path().join("report"))
            .env("SPAWNLAB_CACHE", self.dir.path().join("cache"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("it can be started");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Running {
            child,
            lines,
            seen: Vec::new(),
        }
    }

    /// Runs to the end, which has to be a pass; returns what was printed.
    fn passes(&self) -> Vec<String> {
        let mut running = self.start();
        let seen = running.until("all as expected: 1 passed");
        let status = running.child.wait().expect("it ends");
        assert!(status.success(), "{status}: {seen:#?}");
        self.nothing_runs();
        seen
    }

    /// Kills a run once `when` holds, which is looked at again with every line and many times a second.
    /// That the run ends before is a failure.
    fn killed(&self, what: &str, when: impl FnMut(&[String]) -> bool) {
        if let Some(seen) = self.killed_or_ended(what, when) {
            panic!("{what} never came: {seen:#?}");
        }
    }

    /// As [`Self::killed`], but a run that was quicker is none; returns what that one printed.
    fn killed_or_ended(
        &self,
        what: &str,
        mut when: impl FnMut(&[String]) -> bool,
    ) -> Option<Vec<String>> {
        let mut running = self.start();
        let begin = Instant::now();
        while !when(&running.seen) {
            assert!(begin.elapsed() < LIMIT, "{what}: {:#?}", running.seen);
            match running.lines.recv_timeout(Duration::from_millis(2)) {
                Ok(line) => running.seen.push(line),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    running.child.wait().expect("it ends");
                    return Some(std::mem::take(&mut running.seen));
                }
            }
        }
        running.child.kill().expect("SIGKILL");
        running.child.wait().expect("it is dead");
        self.nothing_runs();
        None
    }

    /// No process has a file of this cache on its command line: every QEMU would.
    fn nothing_runs(&self) {
        let cache = self.dir.path().to_str().expect("UTF-8");
        let begin = Instant::now();
        loop {
            let left = processes(cache);
            if left.is_empty() {
                return;
            }
            assert!(
                begin.elapsed() < Duration::from_secs(20),
                "still there: {left:#?}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The folder of the layer `name`; there is one.
    fn layer(&self, name: &str) -> PathBuf {
        let wanted = format!("\"name\": \"{name}\"");
        let entries = std::fs::read_dir(self.layers()).expect("readable");
        let mut paths = entries.map(|entry| entry.expect("readable").path());
        let is_it = |path: &PathBuf| {
            std::fs::read_to_string(path.join("layer.json"))
                .is_ok_and(|text| text.contains(&wanted))
        };
        paths
            .find(is_it)
            .unwrap_or_else(|| panic!("no layer {name}"))
    }

    /// Whether some builder has begun to write the file `name` of a layer.
    fn being_built(&self, name: &str) -> bool {
        let entries = std::fs::read_dir(self.layers())
            .into_iter()
            .flatten()
            .flatten();
        let mut building = entries
            .map(|entry| entry.path())
            .filter(|path| path.to_string_lossy().contains("/.building-"));
        building.any(|path| path.join(name).exists())
    }
}

impl Running {
    fn until(&mut self, wanted: &str) -> Vec<String> {
        let begin = Instant::now();
        loop {
            let left = LIMIT.saturating_sub(begin.elapsed());
            let line = self.lines.recv_timeout(left);
            let line = line.unwrap_or_else(|_| panic!("no `{wanted}`: {:#?}", self.seen));
            self.seen.push(line.clone());
            if line.contains(wanted) {
                return std::mem::take(&mut self.seen);
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn processes(word: &str) -> Vec<String> {
    let own = std::process::id().to_string();
    let entries = std::fs::read_dir("/proc").expect("readable").flatten();
    let command_lines = entries
        .filter(|entry| entry.file_name() != *own)
        .filter_map(|entry| {
            let bytes = std::fs::read(entry.path().join("cmdline")).ok()?;
            Some(String::from_utf8_lossy(&bytes).replace('\0', " "))
        });
    command_lines.filter(|line| line.contains(word)).collect()
}

fn begun(seen: &[String], what: &str) -> bool {
    let said = |line: &String| line.starts_with("begin") && line.ends_with(what);
    seen.iter().any(said)
}

fn flip_a_byte(path: &Path) {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .expect("it is there");
    let middle = rustix::fs::seek(&file, rustix::fs::SeekFrom::Data(8 << 20)).expect("data");
    let mut byte = [0];
    file.read_exact_at(&mut byte, middle).expect("readable");
    file.write_all_at(&[byte[0] ^ 1], middle).expect("writable");
}

fn rebuilt(seen: &[String], layer: &str, why: &str) {
    let said = |line: &String| line.contains("it is rebuilt") && line.contains(why);
    assert!(
        seen.iter().any(said),
        "no rebuilding for `{why}`: {seen:#?}"
    );
    let built = |line: &String| line.starts_with("built") && line.contains(layer);
    assert!(seen.iter().any(built), "{layer} was not built: {seen:#?}");
}

#[test]
fn killed_and_damaged_at_every_step_the_next_run_is_right() {
    let lab = Lab::new();
    lab.killed("the boot", |_| lab.being_built("ram"));
    lab.killed("the saving of a state", |_| lab.being_built("state"));
    lab.killed("provisioning", |seen| begun(seen, "layer host"));
    lab.killed("the saving of a child", |seen| {
        begun(seen, "layer host") && lab.being_built("state")
    });
    lab.killed("deploying", |seen| begun(seen, "layer deployed"));
    lab.passes();
    // All layers are there: what comes next is a clone and its scenario.
    let began = std::cell::Cell::new(None::<Instant>);
    for delay in [0, 40, 150, 600] {
        began.set(None);
        // Where a machine is so quick that the run is over by then, the shorter delays have to do.
        lab.killed_or_ended("a clone", |seen| {
            let ready = seen
                .iter()
                .any(|line| line.starts_with("reused") && line.contains("layer deployed"));
            if ready && began.get().is_none() {
                began.set(Some(Instant::now()));
            }
            began
                .get()
                .is_some_and(|at| at.elapsed() >= Duration::from_millis(delay))
        });
    }
    let seen = lab.passes();
    assert!(
        !seen.iter().any(|line| line.starts_with("built")),
        "{seen:#?}"
    );

    flip_a_byte(&lab.layer("deployed").join("ram"));
    rebuilt(&lab.passes(), "layer deployed", "ram is not what was saved");

    let state = lab.layer("host").join("state");
    let half = std::fs::metadata(&state).expect("it is there").len() / 2;
    File::options()
        .write(true)
        .open(&state)
        .expect("writable")
        .set_len(half)
        .expect("truncated");
    std::fs::remove_file(lab.layer("deployed").join("disk.qcow2")).expect("removed");
    rebuilt(&lab.passes(), "layer host", "state has");

    std::fs::remove_dir_all(lab.layer("booted")).expect("removed");
    let seen = lab.passes();
    rebuilt(&seen, "layer host", "its parent was built again");
}
