//! The accelerator is proved, not guessed: `/dev/kvm` can exist and still hang or abort a guest.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::{
    args::Accel,
    machine::QEMU,
    process::{Process, ProcessSpec},
};
use crate::util::{
    error::{Error, Result},
    poll::{self, Seen},
};

/// What the user asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Choice {
    /// KVM where it is proved, else TCG.
    #[default]
    Auto,
    /// KVM or an error.
    Kvm,
    /// TCG, without a probe.
    Tcg,
}

/// What is used, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChosenAccel {
    /// The accelerator.
    pub accel: Accel,
    /// The reason, for the head of a report.
    pub why: String,
}

/// What a working KVM needs to show that kernel's first line, with much to spare.
const PROBE: Duration = Duration::from_secs(8);

/// Where a kernel shows its devices and modules.
const ROOT: &str = "/";
/// What was proved, in the cache.
const PROVED: &str = "accel.json";
/// Kernel modules that KVM is made of.
const MODULES: [&str; 3] = ["kvm", "kvm_intel", "kvm_amd"];

/// Chooses by proof: `auto` boots `kernel` for a moment under KVM. The result is kept in `cache`, and holds until the
/// machine boots again, another user asks, or the device `/dev/kvm` or a module of KVM is not the one that it was.
///
/// # Errors
/// [`Error::Machine`] when KVM was demanded and does not work here; the text says why.
pub async fn choose(choice: Choice, kernel: &Utf8Path, cache: &Utf8Path) -> Result<ChosenAccel> {
    if choice == Choice::Tcg {
        return Ok(ChosenAccel {
            accel: Accel::Tcg,
            why: "as demanded".into(),
        });
    }
    let device = rustix::fs::access(
        "/dev/kvm",
        rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK,
    );
    let proof = match device {
        Err(error) => Err(format!("/dev/kvm can't be opened: {error}")),
        Ok(()) => remembered_probe(kernel, cache).await?,
    };
    match (proof, choice) {
        (Ok(()), _) => Ok(ChosenAccel {
            accel: Accel::Kvm,
            why: "a kernel spoke under it".into(),
        }),
        (Err(why), Choice::Kvm) => Err(Error::Machine(format!(
            "--accel kvm was demanded, but {why}; use --accel tcg, or make /dev/kvm usable"
        ))),
        (Err(why), _) => Ok(ChosenAccel {
            accel: Accel::Tcg,
            why,
        }),
    }
}

#[derive(Serialize, Deserialize)]
struct Memory {
    boot_id: String,
    user: u32,
    /// [`device`] when it was proved.
    #[serde(default)]
    device: String,
    proof: std::result::Result<(), String>,
}

impl Memory {
    /// Whether `other` was proved for the same user, on the same boot, with the same device.
    fn is_of_the_same(&self, other: &Self) -> bool {
        (&self.boot_id, self.user, &self.device) == (&other.boot_id, other.user, &other.device)
    }
}

/// Forgets what was proved, so that the next [`choose`] proves it anew.
///
/// # Errors
/// When the file in `cache` is there and can't be removed.
pub fn forget(cache: &Utf8Path) -> Result<bool> {
    match fs_err::remove_file(cache.join(PROVED)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Text that differs when KVM may work differently than before: who may use the device, which device it is, and which
/// modules are loaded. A module that is loaded again has another inode in sysfs.
fn device(root: &Utf8Path) -> String {
    let mut text = match rustix::fs::stat(root.join("dev/kvm").as_std_path()) {
        Ok(stat) => format!(
            "{}:{}:{:o}:{}:{}",
            stat.st_uid, stat.st_gid, stat.st_mode, stat.st_rdev, stat.st_ino
        ),
        Err(error) => error.to_string(),
    };
    for module in MODULES {
        let dir = root.join("sys/module").join(module);
        if let Ok(stat) = rustix::fs::stat(dir.as_std_path()) {
            text.push_str(&format!(" {module}:{}", stat.st_ino));
        }
    }
    text
}

async fn remembered_probe(
    kernel: &Utf8Path,
    cache: &Utf8Path,
) -> Result<std::result::Result<(), String>> {
    let file = cache.join(PROVED);
    let boot_id = fs_err::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let mut memory = Memory {
        boot_id,
        user: rustix::process::geteuid().as_raw(),
        device: device(ROOT.into()),
        proof: Ok(()),
    };
    let known = fs_err::read(&file)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Memory>(&bytes).ok())
        .filter(|known| memory.is_of_the_same(known));
    if let Some(known) = known {
        return Ok(known.proof);
    }
    let proof = probe(QEMU, kernel).await?;
    memory.proof = proof.clone();
    let mut temporary = tempfile::NamedTempFile::new_in(cache)?;
    serde_json::to_writer(&mut temporary, &memory).map_err(std::io::Error::from)?;
    temporary.persist(&file).map_err(|error| error.error)?;
    Ok(proof)
}

/// Only a guest that printed something proves KVM.
async fn probe(qemu: &str, kernel: &Utf8Path) -> Result<std::result::Result<(), String>> {
    let dir = tempfile::tempdir()?;
    let file = |name: &str| {
        Utf8PathBuf::from_path_buf(dir.path().join(name))
            .map_err(|path| Error::Machine(format!("{} is not UTF-8", path.display())))
    };
    let console = file("console")?;
    let args = [
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-machine",
        "q35,accel=kvm",
        "-cpu",
        "host",
        "-m",
        "256M",
        "-no-reboot",
        "-append",
        "console=ttyS0 panic=-1",
        "-kernel",
    ];
    let mut args: Vec<String> = args.map(str::to_owned).to_vec();
    args.push(kernel.to_string());
    args.push("-serial".into());
    args.push(format!("file:{console}"));
    let process = Process::start(ProcessSpec {
        program: qemu.to_owned(),
        args,
        stdin: None,
        log: file("log")?,
    })?;
    let spoke = || fs_err::read(&console).is_ok_and(|text| contains(&text, b"Linux version"));
    let speaking = poll::until(
        "the kernel to speak",
        PROBE,
        Duration::from_millis(50),
        || async {
            Ok(if spoke() {
                Seen::Ready(())
            } else {
                Seen::NotYet("silence".into())
            })
        },
    );
    let proof = tokio::select! {
        result = speaking => result.map_err(|_| format!("a kernel under KVM said nothing for {} s", PROBE.as_secs())),
        death = process.ended_early() => if spoke() { Ok(()) } else { Err(format!("KVM is there but unusable: {}", last_line(&death))) },
    };
    process.kill();
    Ok(proof)
}

fn contains(text: &[u8], needle: &[u8]) -> bool {
    text.windows(needle.len()).any(|window| window == needle)
}

fn last_line(error: &Error) -> String {
    error
        .to_string()
        .lines()
        .last()
        .unwrap_or_default()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn fake_qemu(dir: &tempfile::TempDir, body: &str) -> String {
        let path = dir.path().join("qemu");
        fs_err::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The last argument is `file:PATH` of the console.
    const CONSOLE: &str = r#"for last; do :; done; console=${last#file:}"#;

    #[tokio::test]
    async fn a_kernel_that_speaks_is_proof() {
        let dir = tempfile::tempdir().unwrap();
        let qemu = fake_qemu(
            &dir,
            &format!("{CONSOLE}; echo 'Linux version 6' > \"$console\"; sleep 60"),
        );
        assert_eq!(probe(&qemu, "/vmlinuz".into()).await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn an_abort_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let qemu = fake_qemu(&dir, "echo 'failed to set MSR 0x10a' >&2; kill -ABRT $$");
        let why = probe(&qemu, "/vmlinuz".into()).await.unwrap().unwrap_err();
        assert!(why.contains("MSR 0x10a"), "{why}");
    }

    /// <https://github.com/danobi/vmtest/issues/38>
    #[test]
    fn vmtest_38_another_device_or_module_is_proved_anew() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap();
        let kvm = root.join("dev/kvm");
        let module = root.join("sys/module/kvm_intel");
        fs_err::create_dir_all(root.join("dev")).unwrap();
        let now = || Memory {
            boot_id: "boot".into(),
            user: 0,
            device: device(root),
            proof: Ok(()),
        };
        let absent = now();
        fs_err::write(&kvm, "").unwrap();
        let there = now();
        assert!(there.is_of_the_same(&now()));
        fs_err::set_permissions(&kvm, std::fs::Permissions::from_mode(0o600)).unwrap();
        let closed = now();
        fs_err::create_dir_all(&module).unwrap();
        let loaded = now();
        // Another folder of the same name, as after unloading and loading; both exist for a moment, so that the
        // number is not used again.
        fs_err::create_dir_all(root.join("new")).unwrap();
        fs_err::rename(root.join("new"), &module).unwrap();
        let states = [absent, there, closed, loaded, now()];
        for (position, one) in states.iter().enumerate() {
            for other in &states[position + 1..] {
                assert!(
                    !one.is_of_the_same(other),
                    "{} {}",
                    one.device,
                    other.device
                );
            }
        }
    }

    #[test]
    fn what_was_proved_can_be_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Utf8Path::from_path(dir.path()).unwrap();
        assert!(!forget(cache).unwrap());
        fs_err::write(cache.join(PROVED), "{}").unwrap();
        assert!(forget(cache).unwrap());
        assert!(!cache.join(PROVED).exists());
    }

    #[tokio::test]
    async fn demanding_tcg_needs_no_probe() {
        let proved = choose(Choice::Tcg, "/nowhere".into(), "/nowhere".into())
            .await
            .unwrap();
        assert_eq!(proved.accel, Accel::Tcg);
    }
}
