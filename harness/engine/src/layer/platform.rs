//! What every layer stands on: the image, QEMU, and the machine that runs it.

use std::fs::File;
#[cfg(test)]
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::{key::Key, record::VERSION};
#[cfg(test)]
use crate::vm::qemu::scripted::Script;
use crate::{
    image::Image,
    util::error::{Error, Result},
    vm::qemu::{
        args::{Accel, Disk, MachineSpec, Memory, Writes, command_line},
        identity::QemuVersion,
        img,
        machine::Machine,
    },
};

/// Size of the lab disk in MiB. Fixed, so that the device is the same machine part in the booted
/// layer, where it is empty and not mounted, and in its children. Large enough for a guest base of
/// another image; the file is sparse.
pub const LAB_DISK_MIB: u64 = 256;

/// An image on a QEMU on this machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Platform {
    /// The image's id.
    pub image_id: String,
    /// The image's kernel.
    pub kernel: Utf8PathBuf,
    /// The image's initial RAM disk.
    pub initrd: Utf8PathBuf,
    /// The image's kernel command line.
    pub cmdline: String,
    /// The image's root disk; never written to.
    pub root: Disk,
    /// Name of the guest agent's virtio-serial port.
    pub agent_port: String,
    /// How processors are run.
    pub accel: Accel,
    /// The installed QEMU.
    pub qemu: QemuVersion,
    /// Virtual processors of a host.
    pub vcpus: u32,
    /// Memory of a host in MiB.
    pub memory_mib: u32,
    /// What plays the VMs of a test.
    #[cfg(test)]
    #[serde(skip)]
    pub(crate) script: Option<Arc<Script>>,
}

impl Platform {
    /// `image`, whoever built it, run by `qemu` under `accel`.
    ///
    /// # Errors
    /// The image has no disk.
    pub fn of(image: &Image, accel: Accel, qemu: QemuVersion) -> Result<Self> {
        let manifest = image.manifest();
        let root = manifest.disks.first().ok_or_else(|| {
            Error::Image(format!("{}: it has no disk; build it again", image.dir()))
        })?;
        Ok(Self {
            image_id: image.id().to_owned(),
            kernel: image.kernel(),
            initrd: image.initrd(),
            cmdline: manifest.cmdline.clone(),
            root: Disk {
                file: image.file(&root.file),
                format: root.format.clone(),
                serial: root.serial.clone(),
                writes: Writes::Refused,
            },
            agent_port: manifest.agent.port.clone(),
            accel,
            qemu,
            vcpus: accel.vcpus(),
            memory_mib: manifest.memory_mib,
            #[cfg(test)]
            script: None,
        })
    }

    /// The key of what boots on it. Everything that a saved state depends on goes in: the state
    /// of a TSC clock, for one, belongs to the machine that it was saved on.
    #[must_use]
    pub fn key(&self) -> Key {
        let arguments = self.arguments();
        Key::root([
            ("format", VERSION.to_string().as_str()),
            ("image", &self.image_id),
            ("arguments", &arguments),
            ("qemu", &self.qemu.line),
            ("qemu files", &self.qemu.files),
            ("processor", &processor()),
            ("lab disk", &LAB_DISK_MIB.to_string()),
        ])
    }

    /// The command line of a host with its folders left out: every device of a machine is part of
    /// its state.
    fn arguments(&self) -> String {
        let mut portable = self.clone();
        portable.kernel = "kernel".into();
        portable.initrd = "initrd".into();
        portable.root.file = "root".into();
        let spec = portable.machine(Memory::Shared, false, portable.root.clone(), "lab".into());
        command_line(&spec, "sockets".into(), "console".into()).join("\n")
    }

    /// The VM that has `root` and `lab` as its disks.
    #[must_use]
    pub fn machine(
        &self,
        memory: Memory,
        incoming: bool,
        root: Disk,
        lab: Utf8PathBuf,
    ) -> MachineSpec {
        MachineSpec {
            accel: self.accel,
            vcpus: self.vcpus,
            memory_mib: self.memory_mib,
            memory,
            kernel: self.kernel.clone(),
            initrd: self.initrd.clone(),
            cmdline: self.cmdline.clone(),
            disks: vec![
                root,
                Disk {
                    file: lab,
                    format: "raw".into(),
                    serial: "lab".into(),
                    writes: Writes::Refused,
                },
            ],
            agent_port: self.agent_port.clone(),
            uplink: None,
            incoming,
        }
    }

    /// Starts `spec`, a VM of this platform, as [`Machine::start`] does.
    ///
    /// # Errors
    /// Those of [`Machine::start`].
    pub async fn start(
        &self,
        spec: &MachineSpec,
        memory: impl Into<Option<File>>,
        evidence: &Utf8Path,
    ) -> Result<Machine> {
        #[cfg(test)]
        if let Some(script) = &self.script {
            return script.machine(spec.uplink.as_ref(), evidence).await;
        }
        Machine::start(spec, memory, evidence).await
    }

    /// Makes `file`, an overlay over `backing`, as [`img::overlay`] does.
    ///
    /// # Errors
    /// Those of [`img::overlay`].
    pub async fn overlay(&self, backing: &Disk, file: &Utf8Path) -> Result<Disk> {
        #[cfg(test)]
        if self.script.is_some() {
            fs_err::write(file, "")?;
            return Ok(Disk {
                file: file.to_owned(),
                ..backing.clone()
            });
        }
        img::overlay(backing, file).await
    }
}

/// The processor's model and its clock: `bogomips` is twice the TSC's frequency in MHz.
fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    info.lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| {
            ["model name", "bogomips", "flags"]
                .iter()
                .any(|key| line.starts_with(key))
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// One for tests that start nothing.
#[cfg(test)]
pub(super) fn nowhere() -> Platform {
    Platform {
        image_id: "0123".into(),
        kernel: "/nowhere/vmlinuz".into(),
        initrd: "/nowhere/initrd".into(),
        cmdline: "quiet".into(),
        root: Disk {
            file: "/nowhere/root.raw".into(),
            format: "raw".into(),
            serial: "root".into(),
            writes: Writes::Refused,
        },
        agent_port: "org.qemu.guest_agent.0".into(),
        accel: Accel::Tcg,
        qemu: QemuVersion {
            line: "QEMU 10.0.2".into(),
            number: (10, 0),
            files: "a 1 2".into(),
        },
        vcpus: 2,
        memory_mib: 2048,
        script: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{MANIFEST_FILE, Manifest};

    /// The folder of an image with this description, and what QEMU is told about it when it boots.
    fn booted(manifest: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(dir.path())
            .unwrap()
            .canonicalize_utf8()
            .unwrap();
        std::fs::write(folder.join(MANIFEST_FILE), manifest).unwrap();
        let parsed: Manifest = serde_json::from_str(manifest).unwrap();
        for (_, file) in parsed.files() {
            std::fs::write(folder.join(file), "").unwrap();
        }
        let image = Image::open(&folder).unwrap();
        let platform = Platform::of(&image, Accel::Tcg, nowhere().qemu).unwrap();
        let spec = platform.machine(
            Memory::Shared,
            false,
            platform.root.clone(),
            "/lab.raw".into(),
        );
        command_line(&spec, "/sockets".into(), "/console.log".into())
            .join("\n")
            .replace(folder.as_str(), "<image>")
            .replace(&parsed.cmdline, "<cmdline>")
    }

    #[test]
    fn an_image_of_nixos_boots_as_that_of_debian_does() {
        // What the pure function of vm-images/nixos says; its own tests compare it with this file.
        let nixos = include_str!("../../../../vm-images/nixos/tests/image.json");
        let debian = serde_json::to_string(&crate::image::manifest_sample()).unwrap();
        let expected = booted(&debian)
            .replace("<image>/vmlinuz", "<image>/kernel")
            .replace("<image>/root.raw", "<image>/root.qcow2")
            .replace("2048", "3072");
        // The format of the disk is the one other thing in which they differ.
        let raw = |text: &str| text.replace("qcow2", "raw");
        assert_eq!(raw(&booted(nixos)), raw(&expected));
        assert!(booted(nixos).contains("<image>/kernel"));
        assert!(booted(nixos).contains("3072M"));
    }

    #[test]
    fn everything_that_a_state_depends_on_is_in_the_key() {
        let key = nowhere().key();
        let changes: [fn(&mut Platform); 7] = [
            |p| p.image_id = "4567".into(),
            |p| p.cmdline = "debug".into(),
            |p| p.accel = Accel::Kvm,
            |p| p.qemu.line = "QEMU 10.0.3".into(),
            |p| p.qemu.files = "a 1 3".into(),
            |p| p.vcpus = 1,
            |p| p.memory_mib = 1024,
        ];
        for change in changes {
            let mut other = nowhere();
            change(&mut other);
            assert_ne!(other.key(), key, "{other:?}");
        }
    }

    #[test]
    fn where_the_cache_is_does_not_matter() {
        let mut moved = nowhere();
        moved.kernel = "/elsewhere/vmlinuz".into();
        moved.root.file = "/elsewhere/root.raw".into();
        assert_eq!(moved.key(), nowhere().key());
    }
}
