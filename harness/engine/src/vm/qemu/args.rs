//! QEMU's command line as a pure function of a plain description.

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::vm::disk::{image::log_of, log::SECTOR};

/// How the virtual processors are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Accel {
    /// The kernel's hypervisor.
    Kvm,
    /// Emulation, everywhere available.
    Tcg,
}

impl Accel {
    /// QEMU's name for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }

    /// The processor model. Under TCG the choice is about speed: models with five-level paging
    /// make every address translation slower (25 s instead of 17 s to boot with `max`).
    #[must_use]
    pub fn cpu(self) -> &'static str {
        match self {
            Self::Kvm => "host",
            Self::Tcg => "Nehalem",
        }
    }

    /// Virtual processors of a host. Under TCG a second one is a second thread of QEMU that changes
    /// the memory map under the first one's feet: a guest's reboot was seen to abort QEMU in
    /// `iotlb_to_section` (also reported as <https://gitlab.com/qemu-project/qemu/-/issues/1921>).
    /// One is also cheaper by a fifth (310 s against 252 s of CPU for the suite): no atomic operations, no TLB shootdowns between threads.
    #[must_use]
    pub fn vcpus(self) -> u32 {
        match self {
            Self::Kvm => 2,
            Self::Tcg => 1,
        }
    }

    /// By how much limits grow against those of a machine with KVM.
    #[must_use]
    pub fn timeout_factor(self) -> u32 {
        match self {
            Self::Kvm => 1,
            Self::Tcg => 4,
        }
    }
}

/// One virtio disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// Its file on the machine that runs the lab.
    pub file: Utf8PathBuf,
    /// `raw` or `qcow2`.
    pub format: String,
    /// Its serial number in the guest (`/dev/disk/by-id/virtio-SERIAL`).
    pub serial: String,
    /// What becomes of the guest's writes.
    pub writes: Writes,
}

/// What becomes of what the guest writes to a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Writes {
    /// It is in the file.
    Kept,
    /// It is in an unnamed temporary file of QEMU's own and gone with QEMU: nothing to clean up,
    /// even after SIGKILL.
    Dropped,
    /// It is in the file, and each write and flush is in the empty file [`log_of`] it as well, in their order.
    Logged,
    /// The guest can't write.
    Refused,
}

/// Where the memory comes from. Descriptor 0 of QEMU is the memory file, if there is one: given a path,
/// QEMU would silently create a missing file, as zeroes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// Mapped shared: what the guest writes is in the file.
    Shared,
    /// Mapped privately: the file stays as it is.
    Private,
    /// No file: QEMU's own, to be filled from a stream. What is zero in the stream QEMU compares with what is
    /// there, which costs a file in memory a page for each of its pages, and this nothing.
    Anonymous,
}

/// A machine's place in a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uplink {
    /// The socket of its port there.
    pub socket: Utf8PathBuf,
    /// The hardware address of its card. A machine that is resumed has the one of its saved state until it is told
    /// another or reboots; QEMU announces it with this one in any case.
    pub mac: String,
}

/// What a VM is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineSpec {
    /// How its processors are run.
    pub accel: Accel,
    /// Virtual processors.
    pub vcpus: u32,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// How its memory is mapped.
    pub memory: Memory,
    /// The kernel.
    pub kernel: Utf8PathBuf,
    /// The initial RAM disk.
    pub initrd: Utf8PathBuf,
    /// The kernel's command line.
    pub cmdline: String,
    /// Its disks, in the guest's order.
    pub disks: Vec<Disk>,
    /// Name of the guest agent's virtio-serial port.
    pub agent_port: String,
    /// The network that it is in, if it is in one.
    pub uplink: Option<Uplink>,
    /// Whether it waits for a saved state instead of booting.
    pub incoming: bool,
}

/// The one machine type. Its version is part of the saved state, so QEMU's identity is part of a layer's key.
pub const MACHINE: &str = "q35";

/// Name of the socket behind the guest's `/dev/hvc0`.
pub const SHELL: &str = "shell";

/// Name of the socket that the network card of a machine by itself calls, and that is never there.
const NOBODY: &str = "nobody";

/// QEMU's arguments for `spec`, with its sockets in `sockets` and its console in `console`.
#[must_use]
pub fn command_line(spec: &MachineSpec, sockets: &Utf8Path, console: &Utf8Path) -> Vec<String> {
    let mut args = Args::default();
    args.flag("-nodefaults").flag("-no-user-config");
    args.pair("-name", "spawnlab,debug-threads=on".to_owned());
    args.pair("-display", "none".to_owned());
    // QEMU parses devices and network packets of a guest that tests may break at will.
    let sandbox = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny";
    args.pair("-sandbox", sandbox.to_owned());
    let accel = spec.accel.name();
    args.pair(
        "-machine",
        format!(
            "{MACHINE},accel={accel},memory-backend=mem,vmport=off,smm=off,smbus=off,graphics=off"
        ),
    );
    args.pair("-cpu", spec.accel.cpu().to_owned());
    args.pair("-smp", spec.vcpus.to_string());
    args.pair("-m", format!("{}M", spec.memory_mib));
    let size = format!("id=mem,size={}M", spec.memory_mib);
    let file = format!("memory-backend-file,{size},mem-path=/proc/self/fd/0");
    let memory = match spec.memory {
        Memory::Shared => format!("{file},share=on"),
        Memory::Private => format!("{file},share=off,readonly=on,rom=off"),
        Memory::Anonymous => format!("memory-backend-ram,{size}"),
    };
    args.pair("-object", memory);
    args.pair("-kernel", spec.kernel.to_string());
    args.pair("-initrd", spec.initrd.to_string());
    args.pair("-append", spec.cmdline.clone());
    for (index, disk) in spec.disks.iter().enumerate() {
        disk_args(&mut args, index, disk);
    }
    // Random numbers and a generation id: siblings resumed from one layer must not draw alike.
    args.pair(
        "-object",
        "rng-random,id=rng,filename=/dev/urandom".to_owned(),
    );
    args.pair("-device", "virtio-rng-pci,rng=rng".to_owned());
    args.pair("-device", "vmgenid,guid=auto".to_owned());
    card_args(&mut args, spec.uplink.as_ref(), sockets);
    args.pair(
        "-chardev",
        format!("file,id=console,path={}", quoted(console)),
    );
    args.pair("-serial", "chardev:console".to_owned());
    let socket = |name: &str| format!("socket,id={name},path={}", quoted(&sockets.join(name)));
    args.pair("-chardev", socket("qmp"));
    args.pair("-mon", "chardev=qmp,mode=control".to_owned());
    args.pair("-device", "virtio-serial-pci".to_owned());
    args.pair("-chardev", socket("agent"));
    args.pair(
        "-device",
        format!("virtserialport,chardev=agent,name={}", spec.agent_port),
    );
    // A terminal for people (`spawnlab shell`): nobody need be at its other end.
    args.pair("-chardev", format!("{},server=on,wait=off", socket(SHELL)));
    args.pair("-device", "virtconsole,chardev=shell".to_owned());
    if spec.incoming {
        args.pair("-incoming", "defer".to_owned());
    }
    args.0
}

/// The network card. A machine in a lab calls the network's socket. By itself it calls one where nobody listens, and QEMU
/// drops what the guest sends (a hub port without a neighbour would stall the card, and a QEMU that listens dies of a
/// frame that the guest sends before it does). Neither is part of a saved state, so what was saved of the one is
/// resumed as the other.
fn card_args(args: &mut Args, uplink: Option<&Uplink>, sockets: &Utf8Path) {
    let path = match uplink {
        Some(uplink) => uplink.socket.clone(),
        None => sockets.join(NOBODY),
    };
    let path = quoted(&path);
    args.pair(
        "-netdev",
        format!("stream,id=uplink,server=off,addr.type=unix,addr.path={path}"),
    );
    // A machine that was moved has its guest announce it to the switches, which the guest's networkd
    // takes for news of every link. A clone has not moved.
    let card = "virtio-net-pci,netdev=uplink,romfile=,guest_announce=off";
    let mac = uplink.map_or(String::new(), |uplink| format!(",mac={}", uplink.mac));
    args.pair("-device", format!("{card}{mac}"));
}

fn disk_args(args: &mut Args, index: usize, disk: &Disk) {
    let writes = match disk.writes {
        Writes::Logged => return logged_disk_args(args, index, disk),
        Writes::Kept => "readonly=off",
        Writes::Dropped => "snapshot=on",
        Writes::Refused => "readonly=on",
    };
    // `unsafe` skips the guest's flushes: a host that crashes with its machine is not kept anyway,
    // and what is kept is flushed by the lab when it is saved.
    args.pair(
        "-drive",
        format!(
            "if=none,id=disk{index},file={},format={},{writes},cache=unsafe,discard=unmap",
            quoted(&disk.file),
            disk.format
        ),
    );
    args.pair(
        "-device",
        format!("virtio-blk-pci,drive=disk{index},serial={}", disk.serial),
    );
}

/// The log is on top: a flush that a node above it swallows would not be in it. Below it nothing need be flushed.
fn logged_disk_args(args: &mut Args, index: usize, disk: &Disk) {
    let id = format!("disk{index}");
    let mut node = |name: &str, options: String| {
        args.pair("-blockdev", format!("node-name={name},{options}"));
    };
    let file = |path: &Utf8Path| {
        format!(
            "driver=file,filename={},cache.no-flush=on,discard=unmap",
            quoted(path)
        )
    };
    let format = &disk.format;
    node(&format!("{id}-file"), file(&disk.file));
    node(
        &format!("{id}-image"),
        format!("driver={format},file={id}-file,cache.no-flush=on,discard=unmap"),
    );
    node(&format!("{id}-log-file"), file(&log_of(&disk.file)));
    node(
        &format!("{id}-log"),
        format!("driver=raw,file={id}-log-file"),
    );
    node(
        &id,
        format!(
            "driver=blklogwrites,file={id}-image,log={id}-log,log-sector-size={SECTOR},discard=unmap"
        ),
    );
    args.pair(
        "-device",
        format!(
            "virtio-blk-pci,drive={id},serial={},write-cache=on",
            disk.serial
        ),
    );
}

/// A path in QEMU's option syntax, where a comma must be doubled.
fn quoted(path: &Utf8Path) -> String {
    path.as_str().replace(',', ",,")
}

#[derive(Default)]
struct Args(Vec<String>);

impl Args {
    fn flag(&mut self, flag: &str) -> &mut Self {
        self.0.push(flag.to_owned());
        self
    }

    fn pair(&mut self, key: &str, value: String) {
        self.0.push(key.to_owned());
        self.0.push(value);
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn spec() -> MachineSpec {
        MachineSpec {
            accel: Accel::Tcg,
            vcpus: 2,
            memory_mib: 2048,
            memory: Memory::Shared,
            kernel: "/images/a/vmlinuz".into(),
            initrd: "/images/a/initrd".into(),
            cmdline: "root=/dev/vda console=ttyS0".into(),
            disks: vec![Disk {
                file: "/tmp/o,ver.qcow2".into(),
                format: "qcow2".into(),
                serial: "root".into(),
                writes: Writes::Kept,
            }],
            agent_port: "org.qemu.guest_agent.0".into(),
            uplink: None,
            incoming: false,
        }
    }

    fn shown(spec: &MachineSpec) -> String {
        let args = command_line(spec, "/tmp/s".into(), "/evidence/console.log".into());
        args.join("\n").replace("\n-", "\n\n-")
    }

    #[test]
    fn a_host_that_boots() {
        insta::assert_snapshot!(shown(&spec()));
    }

    #[test]
    fn a_clone_that_resumes_under_kvm() {
        let mut clone = spec();
        clone.accel = Accel::Kvm;
        clone.memory = Memory::Private;
        clone.incoming = true;
        clone.disks[0].writes = Writes::Dropped;
        clone.disks.push(Disk {
            file: "/tmp/lab.raw".into(),
            format: "raw".into(),
            serial: "lab".into(),
            writes: Writes::Refused,
        });
        insta::assert_snapshot!(shown(&clone));
    }

    #[test]
    fn a_machine_in_a_network_calls_its_socket() {
        let uplink = Uplink {
            socket: "/net/lan,laptop".into(),
            mac: "52:54:00:12:34:57".into(),
        };
        let spec = MachineSpec {
            uplink: Some(uplink),
            ..spec()
        };
        let args = command_line(&spec, "/s".into(), "/c".into());
        let card: Vec<_> = args.iter().filter(|arg| arg.contains("uplink")).collect();
        assert_eq!(
            card,
            [
                "stream,id=uplink,server=off,addr.type=unix,addr.path=/net/lan,,laptop",
                "virtio-net-pci,netdev=uplink,romfile=,guest_announce=off,mac=52:54:00:12:34:57"
            ]
        );
    }

    #[test]
    fn a_disk_whose_writes_are_logged() {
        let mut logged = spec();
        logged.disks[0].writes = Writes::Logged;
        let args = command_line(&logged, "/s".into(), "/c".into());
        let disk: Vec<_> = args.iter().filter(|arg| arg.contains("disk0")).collect();
        let disk: Vec<&str> = disk.into_iter().map(String::as_str).collect();
        insta::assert_snapshot!(disk.join("\n"), @r"
        node-name=disk0-file,driver=file,filename=/tmp/o,,ver.qcow2,cache.no-flush=on,discard=unmap
        node-name=disk0-image,driver=qcow2,file=disk0-file,cache.no-flush=on,discard=unmap
        node-name=disk0-log-file,driver=file,filename=/tmp/o,,ver.qcow2.log,cache.no-flush=on,discard=unmap
        node-name=disk0-log,driver=raw,file=disk0-log-file
        node-name=disk0,driver=blklogwrites,file=disk0-image,log=disk0-log,log-sector-size=512,discard=unmap
        virtio-blk-pci,drive=disk0,serial=root,write-cache=on
        ");
    }

    #[test]
    fn memory_without_a_file_names_none() {
        let memory = Memory::Anonymous;
        let args = command_line(&MachineSpec { memory, ..spec() }, "/s".into(), "/c".into());
        let objects: Vec<_> = args.iter().filter(|arg| arg.contains("id=mem")).collect();
        assert_eq!(objects, ["memory-backend-ram,id=mem,size=2048M"]);
    }

    #[rstest]
    #[case(Accel::Kvm, "-cpu\nhost")]
    #[case(Accel::Tcg, "-cpu\nNehalem")]
    fn the_processor_follows_the_accelerator(#[case] accel: Accel, #[case] expected: &str) {
        let spec = MachineSpec { accel, ..spec() };
        let args = command_line(&spec, "/s".into(), "/c".into()).join("\n");
        assert!(args.contains(expected), "{args}");
    }
}
