//! Two caches of our own, and how `spawnlab` is called on them.

use std::{
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use crate::{common::default_image, running::Running};

/// Starts from deployed containers.
pub(crate) const DEPLOYED: &str = "names::name_is_the_leased_address";
/// Starts from a host without any, and is over quickly.
pub(crate) const HOST: &str = "deploy::undeclared_container_is_refused_before_copying";

/// A lab of three machines, two of which start from deployed containers.
pub(crate) const THREE_MACHINES: &str = "remote::container_taken_off_one_host_is_served_by_another";

/// The image of the user's cache, and a folder for everything else.
pub(crate) struct Lab {
    dir: tempfile::TempDir,
    image: String,
    reports: AtomicUsize,
}

/// One of the caches.
pub(crate) struct Cache<'a> {
    lab: &'a Lab,
    name: &'static str,
}

impl Lab {
    /// With the image of the user's cache, which is built first if need be.
    pub(crate) fn new() -> Self {
        Self {
            // Not below /tmp, which may be in memory and small.
            dir: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder"),
            image: default_image(),
            reports: AtomicUsize::new(0),
        }
    }

    /// The cache for scenarios that start from deployed containers.
    pub(crate) fn deployed(&self) -> Cache<'_> {
        self.cache("deployed")
    }

    /// The cache for scenarios that start from a host.
    pub(crate) fn host(&self) -> Cache<'_> {
        self.cache("host")
    }

    fn cache(&self, name: &'static str) -> Cache<'_> {
        let cache = Cache { lab: self, name };
        std::fs::create_dir_all(cache.dir()).expect("a folder");
        cache
    }

    /// The image's folder.
    pub(crate) fn image(&self) -> &str {
        &self.image
    }

    /// A folder for whatever a test needs.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.dir.path().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        folder
    }
}

impl Cache<'_> {
    pub(crate) fn dir(&self) -> PathBuf {
        self.lab.dir.path().join(self.name)
    }

    pub(crate) fn layers(&self) -> PathBuf {
        self.dir().join("layers")
    }

    /// Where `spawnlab run` puts its reports if it is not told.
    pub(crate) fn runs(&self) -> PathBuf {
        self.lab.dir.path().join(format!("{}-runs", self.name))
    }

    /// `spawnlab` on this cache.
    pub(crate) fn spawnlab(&self, args: &[&str]) -> Command {
        // Whoever kills these tests has killed the lab, too.
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--"])
            .arg(env!("CARGO_BIN_EXE_spawnlab"))
            .args(args)
            .env("SPAWNLAB_CACHE", self.dir())
            .env("SPAWNLAB_RUNS", self.runs())
            .stdin(Stdio::null());
        command
    }

    /// `spawnlab run` for one scenario, with a report of its own.
    pub(crate) fn run(&self, scenario: &str) -> Command {
        let mut command = self.spawnlab(&["run", "--exact", scenario, "--image", &self.lab.image]);
        let number = self.lab.reports.fetch_add(1, Ordering::Relaxed);
        command.arg("--report");
        command.arg(self.lab.dir.path().join(format!("report-{number}")));
        command
    }

    /// As [`Self::run`], with the report where `spawnlab resume` looks for it.
    pub(crate) fn run_to_keep(&self, scenario: &str) -> Command {
        let mut command = self.spawnlab(&["run", "--exact", scenario, "--image", &self.lab.image]);
        command.arg("--keep");
        command
    }

    pub(crate) fn start(&self, scenario: &str) -> Running {
        Running::start(self.run(scenario))
    }

    /// Runs `scenario` to the end, which has to be a pass; returns what was printed.
    pub(crate) fn passes(&self, scenario: &str) -> Vec<String> {
        let seen = self.start(scenario).passes();
        self.nothing_runs();
        seen
    }

    /// Kills a run once `when` holds, which is looked at again with every line and many times a second.
    /// That the run ends before is a failure.
    pub(crate) fn killed(&self, scenario: &str, what: &str, when: impl FnMut(&[String]) -> bool) {
        if let Some(seen) = self.killed_or_ended(scenario, what, when) {
            panic!("{what} never came: {seen:#?}");
        }
    }

    /// As [`Self::killed`], but a run that was quicker is none; returns what that one printed.
    pub(crate) fn killed_or_ended(
        &self,
        scenario: &str,
        what: &str,
        when: impl FnMut(&[String]) -> bool,
    ) -> Option<Vec<String>> {
        let mut running = self.start(scenario);
        let came = running.until_holds(what, when);
        let seen = running.seen.clone();
        running.kill();
        self.nothing_runs();
        (!came).then_some(seen)
    }

    /// No process has a file of this cache on its command line: every QEMU would.
    pub(crate) fn nothing_runs(&self) {
        let dir = self.dir();
        let begin = Instant::now();
        loop {
            let left = processes(dir.to_str().expect("UTF-8"));
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

    /// The folders of the layers called `name`.
    pub(crate) fn layers_called(&self, name: &str) -> Vec<PathBuf> {
        let wanted = format!("\"name\": \"{name}\"");
        let entries = std::fs::read_dir(self.layers()).into_iter().flatten();
        let paths = entries.map(|entry| entry.expect("readable").path());
        let is_it = |path: &PathBuf| {
            std::fs::read_to_string(path.join("layer.json"))
                .is_ok_and(|text| text.contains(&wanted))
        };
        paths.filter(is_it).collect()
    }

    /// The folder of the layer `name`; there is one.
    pub(crate) fn layer(&self, name: &str) -> PathBuf {
        let mut all = self.layers_called(name);
        assert_eq!(all.len(), 1, "layers called {name}");
        all.remove(0)
    }

    /// Folders in which somebody builds, or has built and was killed.
    pub(crate) fn half_built(&self) -> Vec<PathBuf> {
        half_built(&self.layers())
    }

    /// Whether some builder has begun to write the file `name` of a layer.
    pub(crate) fn being_built(&self, name: &str) -> bool {
        let building = self.half_built();
        building.iter().any(|path| path.join(name).exists())
    }
}

/// Folders below `layers` that no layer is in yet.
pub(crate) fn half_built(layers: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(layers).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths
        .filter(|path| path.to_string_lossy().contains("/.building-"))
        .collect()
}

/// The output of a command that has to end with `code`.
pub(crate) fn ends_with(mut command: Command, code: i32) -> Output {
    let output = command.output().expect("it can be started");
    assert_eq!(output.status.code(), Some(code), "{output:#?}");
    output
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
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

pub(crate) fn flip_a_byte(path: &Path) {
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .expect("it is there");
    let middle = rustix::fs::seek(&file, rustix::fs::SeekFrom::Data(8 << 20)).expect("data");
    let mut byte = [0];
    file.read_exact_at(&mut byte, middle).expect("readable");
    file.write_all_at(&[byte[0] ^ 1], middle).expect("writable");
}
