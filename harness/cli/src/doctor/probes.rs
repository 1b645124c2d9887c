//! Looks at the machine. Every look has a deadline, and what can't be seen is no error here.

use std::{collections::BTreeMap, future::Future, process::Stdio, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use spawnlab::{
    image::Cache,
    layer::list,
    util::program::find,
    vm::{
        memory,
        qemu::{
            accel::{self, Choice},
            args::Accel,
            identity,
        },
    },
};
use tokio::process::Command;

use super::leftovers::{self, Leftovers};

/// How long one program may take for its answer.
const ANSWER: Duration = Duration::from_secs(10);
/// How long the proof of KVM may take, which gives up by itself before.
const PROOF: Duration = Duration::from_secs(30);

/// The programs that are looked for.
const PROGRAMS: [&str; 8] = [
    "qemu-img",
    "mmdebstrap",
    "gpg",
    "newuidmap",
    "mke2fs",
    "ssh",
    "setpriv",
    "nix",
];

/// Whether KVM works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kvm {
    /// A kernel spoke under it.
    Proved,
    /// It does not, for this reason.
    Unusable(String),
    /// There is no kernel yet to try it with, or no QEMU.
    Untried(String),
}

/// The cache.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CacheState {
    /// Its folder, if the environment names one.
    pub folder: Option<Utf8PathBuf>,
    /// Whether it is there.
    pub exists: bool,
    /// Why it can't be used.
    pub problem: Option<String>,
    /// The images' names.
    pub images: Vec<String>,
    /// The images that are there and can't be read.
    pub damaged: Vec<String>,
    /// How many layers are kept.
    pub layers: usize,
    /// How many of them are in use.
    pub in_use: usize,
    /// What they take on the disk, in bytes.
    pub layer_bytes: u64,
}

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Probes {
    /// The machine's architecture.
    pub architecture: String,
    /// QEMU's version, or why there is none that will do.
    pub qemu: Result<String, String>,
    /// KVM.
    pub kvm: Kvm,
    /// How many processors there are.
    pub processors: usize,
    /// Bytes of memory that can be had.
    pub memory: u64,
    /// Whether a control group allows less memory than the machine has left.
    pub memory_limited: bool,
    /// Bytes that are free where the cache is, or will be.
    pub disk: Option<u64>,
    /// Whether root runs this.
    pub root: bool,
    /// Whether an ordinary user can be root in a namespace of his own, or why not.
    pub namespaces: Result<(), String>,
    /// Whether he has numbers for users in there.
    pub numbers: bool,
    /// The programs that were found, with the first line of what they say of their version.
    pub programs: BTreeMap<String, String>,
    /// Whether Debian's archive keys are there.
    pub keyring: bool,
    /// The cache.
    pub cache: CacheState,
    /// What dead runs left.
    pub leftovers: Leftovers,
}

/// Looks at everything.
pub async fn probe() -> Probes {
    let cache = cache();
    let folder = cache.folder.clone();
    let qemu = tokio::task::spawn_blocking(identity::installed);
    let qemu = within(ANSWER, "qemu-system-x86_64 --version", qemu).await;
    let qemu = qemu.and_then(|asked| asked.map_err(|error| error.to_string()));
    let qemu = qemu.and_then(|asked| asked.map_err(|error| error.to_string()));
    let kvm = match &qemu {
        Ok(_) => kvm(&cache).await,
        Err(_) => Kvm::Untried("there is no QEMU to try it with".into()),
    };
    let mut programs = BTreeMap::new();
    for program in PROGRAMS {
        if let Some(version) = version(program).await {
            programs.insert(program.to_owned(), version);
        }
    }
    let root = rustix::process::geteuid().is_root();
    let memory = memory::available();
    Probes {
        architecture: std::env::consts::ARCH.to_owned(),
        qemu: qemu.map(|found| found.line),
        kvm,
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        memory: memory.bytes,
        memory_limited: memory.limited_by_group,
        disk: folder.as_deref().and_then(free),
        root,
        namespaces: if root { Ok(()) } else { namespaces().await },
        numbers: root || numbers(),
        programs,
        keyring: ["gpg", "pgp"].iter().any(|end| {
            Utf8Path::new(&format!("/usr/share/keyrings/debian-archive-keyring.{end}")).is_file()
        }),
        cache,
        leftovers: leftovers::find(folder.as_deref()),
    }
}

async fn within<T>(
    limit: Duration,
    what: &str,
    work: impl Future<Output = T>,
) -> Result<T, String> {
    let ended = tokio::time::timeout(limit, work).await;
    ended.map_err(|_| format!("{what} did not answer in {} s", limit.as_secs()))
}

/// The accelerator that a run would take, with the kernel of an image or else this machine's own.
async fn kvm(cache: &CacheState) -> Kvm {
    let root = cache.folder.as_deref().filter(|_| cache.problem.is_none());
    let images = root.map(|root| root.join("images"));
    let of_image = images.and_then(|dir| {
        let mut entries = dir.read_dir_utf8().ok()?.flatten();
        entries.find_map(|entry| {
            let image = spawnlab::image::Image::open(entry.path()).ok()?;
            Some(image.kernel())
        })
    });
    let release = fs_err::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let own = Utf8PathBuf::from(format!("/boot/vmlinuz-{}", release.trim()));
    let own = Some(own).filter(|kernel| std::fs::File::open(kernel).is_ok());
    // What is proved with a kernel of ours is remembered for the next run.
    let temporary = tempfile::tempdir().ok();
    let temporary = temporary
        .as_ref()
        .and_then(|dir| Utf8Path::from_path(dir.path()));
    let (kernel, memory) = match (of_image, own, root, temporary) {
        (Some(kernel), _, Some(root), _) => (kernel, root),
        (_, Some(kernel), _, Some(dir)) => (kernel, dir),
        (_, None, ..) => return Kvm::Untried("there is no image yet to prove it with".into()),
        _ => return Kvm::Untried("there is no room for a temporary file".into()),
    };
    let choice = accel::choose(Choice::Auto, &kernel, memory);
    match within(PROOF, "the proof of KVM", choice).await {
        Ok(Ok(proved)) if proved.accel == Accel::Kvm => Kvm::Proved,
        Ok(Ok(proved)) => Kvm::Unusable(proved.why),
        Ok(Err(error)) => Kvm::Untried(error.to_string()),
        Err(why) => Kvm::Unusable(why),
    }
}

/// The first line that `program --version` prints; none if it is not there.
async fn version(program: &str) -> Option<String> {
    let found = find(program)?;
    // These two print theirs elsewhere, or change something when they are called.
    let flag = match program {
        "newuidmap" => return Some(String::new()),
        "ssh" | "mke2fs" => "-V",
        _ => "--version",
    };
    let said = said(Command::new(found).arg(flag))
        .await
        .unwrap_or_default();
    Some(said.lines().next().unwrap_or_default().to_owned())
}

/// What `command` prints on both streams, or why it did not end well.
async fn said(command: &mut Command) -> Result<String, String> {
    let command = command.stdin(Stdio::null()).kill_on_drop(true);
    let output = within(ANSWER, "it", command.output()).await?;
    let output = output.map_err(|error| error.to_string())?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    if output.status.success() {
        Ok(text)
    } else {
        Err(text)
    }
}

async fn namespaces() -> Result<(), String> {
    said(Command::new("unshare").args(["--user", "--map-root-user", "true"]))
        .await
        .map(drop)
}

fn numbers() -> bool {
    let user = std::env::var("USER").unwrap_or_default();
    let id = rustix::process::geteuid().as_raw().to_string();
    ["/etc/subuid", "/etc/subgid"].iter().all(|file| {
        let text = fs_err::read_to_string(file).unwrap_or_default();
        let mut owners = text.lines().filter_map(|line| line.split(':').next());
        owners.any(|owner| owner == id || (!user.is_empty() && owner == user))
    })
}

/// Bytes that are free where `folder` is or would be.
fn free(folder: &Utf8Path) -> Option<u64> {
    let there = folder.ancestors().find(|dir| dir.is_dir())?;
    let stat = rustix::fs::statvfs(there.as_str()).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

fn cache() -> CacheState {
    let folder = match Cache::location() {
        Ok(folder) => folder,
        Err(error) => {
            return CacheState {
                problem: Some(error.to_string()),
                ..CacheState::default()
            };
        }
    };
    let mut state = CacheState {
        exists: folder.exists(),
        folder: Some(folder.clone()),
        ..CacheState::default()
    };
    if !state.exists {
        return state;
    }
    if let Err(error) = Cache::at(&folder) {
        state.problem = Some(error.to_string());
        return state;
    }
    let entries = folder.join("images").read_dir_utf8().into_iter().flatten();
    for entry in entries.flatten() {
        let hidden = entry.file_name().starts_with('.');
        if hidden || !entry.path().is_dir() {
            continue;
        }
        match spawnlab::image::Image::open(entry.path()) {
            Ok(image) => state.images.push(image.manifest().name.clone()),
            Err(_) => state.damaged.push(entry.file_name().to_owned()),
        }
    }
    state.images.sort();
    match list::list(&folder) {
        Ok(layers) => {
            let kept = layers.iter().filter(|layer| layer.record.is_some());
            state.layers = kept.clone().count();
            state.in_use = kept.clone().filter(|layer| layer.in_use).count();
            state.layer_bytes = kept.map(|layer| layer.bytes).sum();
        }
        Err(error) => state.problem = Some(error.to_string()),
    }
    state
}
