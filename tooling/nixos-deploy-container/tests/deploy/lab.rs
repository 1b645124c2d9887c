//! A host and a deploying side that are folders, with programs that behave like the real ones as far as the tool can
//! see. Each test has its own.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use tempfile::TempDir;

/// Longer than any test takes: only a tool that hangs gets there.
const HANG: Duration = Duration::from_secs(20);

const FAKES: [(&str, &str); 14] = [
    ("bin/ssh", include_str!("fakes/ssh.sh")),
    ("bin/nix", include_str!("fakes/nix.sh")),
    ("bin/nix-store", include_str!("fakes/nix-store.sh")),
    ("host/nix", include_str!("fakes/host-nix.sh")),
    ("host/nix-store", include_str!("fakes/host-nix-store.sh")),
    ("host/sync", include_str!("fakes/sync.sh")),
    ("host/date", include_str!("fakes/date.sh")),
    (
        "host/nix-daemon",
        "#!/bin/sh\n# Is found, and not called.\n",
    ),
    ("host/systemctl", include_str!("fakes/systemctl.sh")),
    ("host/machinectl", include_str!("fakes/guest.sh")),
    ("host/systemd-run", include_str!("fakes/guest.sh")),
    ("host/id", include_str!("fakes/id.sh")),
    ("host/journalctl", include_str!("fakes/journalctl.sh")),
    (
        "host/sleep",
        "#!/bin/sh\n# Waits between questions need not take their time here.\n[ \"$1\" = 1 ] || exec /bin/sleep \"$@\"\n",
    ),
];

pub(crate) struct Lab {
    root: PathBuf,
    shell: String,
    _folder: TempDir,
}

/// What a finished tool left behind.
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A tool that runs.
pub(crate) struct Running {
    child: Child,
}

impl Lab {
    /// A host with `web` and `api` declared, nothing deployed; machines `web` and `api` in the flake.
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("deploy-lab-")
            .tempdir()
            .unwrap();
        let root = folder.path().canonicalize().unwrap();
        let lab = Self {
            root,
            shell: "sh".to_owned(),
            _folder: folder,
        };
        for (name, text) in FAKES {
            lab.put(name, text);
            fs::set_permissions(lab.path(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::create_dir(lab.path("tmp")).unwrap();
        lab.put("log", "");
        lab.put("uid", "0");
        lab.put("boot-id", "boot-1\n");
        lab.put("local-nix-version", "nix (Nix) 2.26.3\n");
        lab.put("host-nix-version", "nix (Nix) 2.26.3\n");
        for name in ["web", "api"] {
            lab.declare(name);
            lab.machine(name, &format!("{name}-1"));
        }
        lab
    }

    /// What the host runs as `sh`.
    pub(crate) fn shell(&mut self, command: &str) {
        command.clone_into(&mut self.shell);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(crate) fn put(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Makes the fakes behave as the file's name says.
    pub(crate) fn set(&self, name: &str) {
        self.put(name, "");
    }

    pub(crate) fn unset(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    pub(crate) fn declare(&self, container: &str) {
        self.put(&format!("etc/systemd/nspawn/{container}.nspawn"), "");
        self.put(
            &format!("etc/systemd/system/systemd-nspawn@{container}.service.d/x.conf"),
            "",
        );
        fs::create_dir_all(self.path(&format!("nix/var/nix/profiles/per-container/{container}")))
            .unwrap();
        fs::create_dir_all(self.path(&format!("guests/{container}"))).unwrap();
    }

    /// The flake's machine `name` evaluates to `closure` from now on.
    pub(crate) fn machine(&self, name: &str, closure: &str) {
        self.put(&format!("flake/{name}"), closure);
    }

    pub(crate) fn fifo(&self, name: &str) {
        assert!(
            Command::new("mkfifo")
                .arg(self.path(name))
                .status()
                .unwrap()
                .success()
        );
    }

    /// The closure that the profile of `container` leads to.
    pub(crate) fn profile(&self, container: &str) -> Option<String> {
        let link = self.path(&format!(
            "nix/var/nix/profiles/per-container/{container}/system"
        ));
        name_of(&link.canonicalize().ok()?)
    }

    /// The closure that the guest runs; none while the container is stopped.
    pub(crate) fn guest(&self, container: &str) -> Option<String> {
        let guest = self.path(&format!("guests/{container}"));
        guest
            .join("active")
            .exists()
            .then(|| name_of(&fs::read_link(guest.join("current-system")).unwrap()).unwrap())
    }

    /// Lets the guest run something that the profile does not lead to.
    pub(crate) fn guest_goes_to(&self, container: &str, closure: &str) {
        let link = self.path(&format!("guests/{container}/current-system"));
        fs::remove_file(&link).unwrap();
        symlink(self.path(&format!("nix/store/{closure}")), link).unwrap();
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log"))
            .unwrap()
            .replace(&self.root.display().to_string(), "LAB")
    }

    pub(crate) fn forget_log(&self) {
        self.put("log", "");
    }

    /// Lines of the log that begin with `start`.
    pub(crate) fn logged(&self, start: &str) -> Vec<String> {
        self.log()
            .lines()
            .filter(|line| line.starts_with(start))
            .map(str::to_owned)
            .collect()
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        self.start_with(arguments, "")
    }

    /// Starts the tool with `options` in `NIX_SSHOPTS`.
    pub(crate) fn start_with(&self, arguments: &[&str], options: &str) -> Running {
        let path = format!(
            "{}:{}",
            self.path("bin").display(),
            std::env::var("PATH").unwrap()
        );
        let child = Command::new(env!("CARGO_BIN_EXE_nixos-deploy-container"))
            .args(arguments)
            .env("LAB", &self.root)
            .env("PATH", path)
            .env("TMPDIR", self.path("tmp"))
            .env("LAB_SHELL", &self.shell)
            .env("NIX_SSHOPTS", options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Running { child }
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Finished {
        let finished = self.start(arguments).finish();
        assert!(self.nothing_left(), "the folder of the connection stayed");
        self.plain(finished)
    }

    /// Runs the tool, and shows what went wrong when that is unexpected.
    pub(crate) fn succeed(&self, arguments: &[&str]) -> Finished {
        let finished = self.run(arguments);
        assert_eq!(
            finished.code,
            Some(0),
            "{}\n{}",
            finished.stderr,
            self.log()
        );
        finished
    }

    pub(crate) fn plain(&self, finished: Finished) -> Finished {
        let root = self.root.display().to_string();
        let plain = |text: String| text.replace(&root, "LAB");
        Finished {
            code: finished.code,
            stdout: plain(finished.stdout),
            stderr: plain(finished.stderr),
        }
    }

    /// Links that keep derivations of a deploy from being collected.
    pub(crate) fn kept(&self) -> Vec<PathBuf> {
        let containers = fs::read_dir(self.path("nix/var/nix/profiles/per-container")).unwrap();
        let links = containers.flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap());
        let links = links.map(|link| link.unwrap().path());
        links
            .filter(|link| link.to_string_lossy().contains("/.deploying-"))
            .collect()
    }

    /// No folder for a control socket is left.
    pub(crate) fn nothing_left(&self) -> bool {
        let socket = fs::read_to_string(self.path("socket")).unwrap_or_default();
        let socket = Path::new(socket.trim());
        socket.as_os_str().is_empty() || !socket.parent().unwrap().exists()
    }

    /// Waits until somebody writes to a pipe that [`Self::fifo`] made.
    pub(crate) fn wait_for(&self, fifo: &str) {
        let path = self.path(fifo);
        within(move || fs::read_to_string(path).unwrap(), fifo);
    }
}

impl Running {
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn finish(self) -> Finished {
        let output = within(move || self.child.wait_with_output().unwrap(), "the tool");
        Finished {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Finished {
    /// The error, without the progress before it.
    pub(crate) fn error(&self) -> &str {
        let start = self
            .stderr
            .rfind("\nerror: step")
            .or_else(|| self.stderr.rfind("\nerror: "));
        start.map_or("", |start| self.stderr[start..].trim())
    }
}

fn within<T: Send + 'static>(action: impl FnOnce() -> T + Send + 'static, what: &str) -> T {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(action()));
    receiver
        .recv_timeout(HANG)
        .unwrap_or_else(|_| panic!("waited {HANG:?} for {what}"))
}

fn name_of(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_str()?.to_owned())
}
