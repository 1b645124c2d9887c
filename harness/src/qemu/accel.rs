//! The accelerator is proved, not guessed: `/dev/kvm` can exist and still hang or abort a guest.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::{
    args::Accel,
    machine::QEMU,
    process::{Process, ProcessSpec},
};
use crate::{
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
pub struct Chosen {
    /// The accelerator.
    pub accel: Accel,
    /// The reason, for the head of a report.
    pub why: String,
}

/// What a working KVM needs to show that kernel's first line, with much to spare.
const PROBE: Duration = Duration::from_secs(8);

/// Chooses by proof: `auto` boots `kernel` for a moment under KVM. The result is kept in `cache`
/// until the machine boots again, so it is paid for once.
///
/// # Errors
/// [`Error::Machine`] when KVM was demanded and does not work here; the text says why.
pub async fn choose(choice: Choice, kernel: &Utf8Path, cache: &Utf8Path) -> Result<Chosen> {
    if choice == Choice::Tcg {
        return Ok(Chosen {
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
        (Ok(()), _) => Ok(Chosen {
            accel: Accel::Kvm,
            why: "a kernel spoke under it".into(),
        }),
        (Err(why), Choice::Kvm) => Err(Error::Machine(format!(
            "--accel kvm was demanded, but {why}; use --accel tcg, or make /dev/kvm usable"
        ))),
        (Err(why), _) => Ok(Chosen {
            accel: Accel::Tcg,
            why,
        }),
    }
}

#[derive(Serialize, Deserialize)]
struct Memory {
    boot_id: String,
    user: u32,
    proof: std::result::Result<(), String>,
}

async fn remembered_probe(
    kernel: &Utf8Path,
    cache: &Utf8Path,
) -> Result<std::result::Result<(), String>> {
    let file = cache.join("accel.json");
    let boot_id = fs_err::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let user = rustix::process::geteuid().as_raw();
    let known = fs_err::read(&file)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Memory>(&bytes).ok())
        .filter(|memory| memory.boot_id == boot_id && memory.user == user);
    if let Some(memory) = known {
        return Ok(memory.proof);
    }
    let proof = probe(QEMU, kernel).await?;
    let memory = Memory {
        boot_id,
        user,
        proof: proof.clone(),
    };
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

    #[tokio::test]
    async fn demanding_tcg_needs_no_probe() {
        let chosen = choose(Choice::Tcg, "/nowhere".into(), "/nowhere".into())
            .await
            .unwrap();
        assert_eq!(chosen.accel, Accel::Tcg);
    }
}
