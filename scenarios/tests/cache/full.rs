//! A full disk, at the worst moments.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use libtest_mimic::Completion;

use crate::{
    lab::{Cache, HOST, Lab, half_built},
    running::{Running, was},
};

/// The message says what is wrong and what to do.
fn told(seen: &[String]) {
    let said = |line: &String| line.contains("is full") && line.contains("SPAWNLAB_CACHE");
    assert!(seen.iter().any(said), "{seen:#?}");
}

/// A file system in memory in the place of the layers, seen by the processes of its namespace alone.
struct Small {
    keeper: Child,
    layers: PathBuf,
}

impl Small {
    /// With a copy of the layers of `cache`, or the reason why there can be none.
    fn instead_of(cache: &Cache, mount: PathBuf) -> Result<Self, String> {
        let layers = cache.layers();
        let script = r#"set -e
            mount -t tmpfs -o size=4g spawnlab-test "$1"
            cp -a --sparse=always "$2/." "$1"
            mount --bind "$1" "$2"
            echo ready
            exec sleep 100000"#;
        let mut keeper = Command::new("unshare")
            // In a user namespace of its own even an ordinary user may mount.
            .args([
                "--user",
                "--map-root-user",
                "--mount",
                "sh",
                "-c",
                script,
                "sh",
            ])
            .args([&mount, &layers])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|error| format!("unshare: {error}"))?;
        let mut line = String::new();
        let output = keeper.stdout.take().expect("a pipe");
        let _ = BufReader::new(output).read_line(&mut line);
        let small = Self { keeper, layers };
        match line.trim() {
            "ready" => Ok(small),
            _ => Err("this user can't mount anything, not even in a namespace of its own".into()),
        }
    }

    /// `program` among those that see it.
    fn inside(&self, command: &Command) -> Command {
        let mut inside = Command::new("nsenter");
        inside
            .args(["--preserve-credentials", "--user", "--mount"])
            .arg(format!("--target={}", self.keeper.id()))
            .arg("--")
            .arg(command.get_program())
            .args(command.get_args());
        for (name, value) in command.get_envs() {
            inside.env(name, value.unwrap_or_default());
        }
        inside
    }

    /// Makes it so large that `free` MiB are free, rounded down.
    fn leave(&self, free: u64) {
        let script = r#"set -e
            used=$(df --output=used -k "$1" | tail -n 1)
            exec mount -o "remount,size=$((used + $2 * 1024))k" "$1""#;
        let mut shell = Command::new("sh");
        shell.args(["-c", script, "sh"]);
        shell.arg(&self.layers).arg(free.to_string());
        let status = self.inside(&shell).status().expect("nsenter");
        assert!(status.success(), "{status}");
    }

    /// The layers as those inside see them.
    fn seen_from_outside(&self) -> PathBuf {
        let root = format!("/proc/{}/root", self.keeper.id());
        PathBuf::from(root + self.layers.to_str().expect("UTF-8"))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

/// The real thing: no room to begin with, and room that is gone while QEMU runs, whose memory is a
/// file there.
pub(crate) fn disk(lab: &Lab) -> Completion {
    let cache = lab.host();
    cache.passes(HOST);
    let small = match Small::instead_of(&cache, lab.folder("small")) {
        Ok(small) => small,
        Err(why) => return Completion::ignored_with(why),
    };
    let inside = || Running::start(small.inside(&cache.run(HOST)));
    let layers = small.seen_from_outside();
    let host = layers.join(cache.layer("host").file_name().expect("a name"));
    std::fs::remove_dir_all(&host).expect("removed");

    small.leave(100);
    let seen = inside().ends_with(3);
    let said = |line: &String| line.contains("MiB are free") && line.contains("SPAWNLAB_CACHE");
    assert!(seen.iter().any(said), "{seen:#?}");
    assert!(half_built(&layers).is_empty());

    small.leave(2000);
    let mut running = inside();
    let begun = running.until_holds("QEMU", |_| {
        let building = half_built(&layers);
        building
            .iter()
            .any(|folder| folder.join("disk.qcow2").exists())
    });
    assert!(begun, "{:#?}", running.seen);
    small.leave(1);
    told(&running.ends_with(3));
    assert!(half_built(&layers).is_empty());
    assert!(!host.exists());

    small.leave(2000);
    let seen = inside().passes();
    assert!(was(&seen, "reused", "booted"), "{seen:#?}");
    assert!(was(&seen, "built", "host"), "{seen:#?}");
    cache.nothing_runs();
    Completion::Completed
}
