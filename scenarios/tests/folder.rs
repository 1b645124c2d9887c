//! An image that somebody else built, in the layout that the builder of NixOS hosts writes, boots by the same
//! code as the lab's own: names of files, format of the disk, memory and kernel parameters are the
//! description's to say. With a real VM; the system inside is that of the default image.

mod common;

use std::{process::Command, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};
use common::default_image;
use spawnlab::{
    image::{Image, Manifest},
    layer::{platform::Platform, stack::Stack},
    verdict::event::Events,
    vm::{
        qemu::{
            accel::{self, Choice},
            identity,
        },
        verbs::Verbs,
    },
};

/// What the NixOS builder's function describes; `tooling/nix/tests/run.sh` keeps it true.
const DESCRIBED: &str = include_str!("../../vm-images/nixos/tests/image.json");

/// A folder in the layout of a NixOS host, with the system of `default`. Only what is the system's own is
/// taken from there: how its kernel is started.
fn described_as_nixos(default: &Image, folder: &Utf8Path) -> Manifest {
    let mut manifest: Manifest = serde_json::from_str(DESCRIBED).expect("image.json");
    let own = default.manifest();
    manifest.cmdline = format!("spawnlab.layout=nixos {}", own.cmdline);
    std::fs::copy(default.kernel(), folder.join(&manifest.kernel)).expect("the kernel");
    std::fs::copy(default.initrd(), folder.join(&manifest.initrd)).expect("the initrd");
    let from = &own.disks[0];
    let to = &manifest.disks[0];
    let converted = Command::new("qemu-img")
        .args(["convert", "-f", &from.format, "-O", &to.format])
        .arg(default.file(&from.file))
        .arg(folder.join(&to.file))
        .status()
        .expect("qemu-img");
    assert!(converted.success());
    let text = serde_json::to_string_pretty(&manifest).expect("JSON");
    std::fs::write(folder.join("image.json"), text).expect("written");
    manifest
}

#[tokio::test]
async fn a_folder_in_the_layout_of_nixos_boots_and_answers() {
    let default = Image::open(default_image()).expect("an image");
    // Not below /tmp, which may be in memory and small.
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let root = Utf8PathBuf::from_path_buf(dir.path().to_owned()).expect("UTF-8");
    let (folder, cache) = (root.join("image"), root.join("cache"));
    for path in [&folder, &cache] {
        std::fs::create_dir(path).expect("a folder");
    }
    let manifest = described_as_nixos(&default, &folder);

    let image = Image::open(&folder).expect("the folder is an image");
    assert_eq!(image.manifest(), &manifest);
    let proved = accel::choose(Choice::Auto, &image.kernel(), &cache)
        .await
        .expect("an accelerator");
    let qemu = identity::installed().expect("a QEMU");
    let platform = Platform::of(&image, proved.accel, qemu).expect("a platform");
    let (events, _receiver) = Events::channel();
    let stack = Stack::open(&cache, platform, events, &root).expect("a stack");
    let booted = stack.booted().await.expect("it boots and is saved");
    let evidence = root.join("clone");
    std::fs::create_dir(&evidence).expect("a folder");
    let host = booted.host(&evidence).await.expect("it is resumed");

    let cmdline = host.succeed("cat /proc/cmdline").await.expect("an answer");
    assert_eq!(cmdline.trim(), manifest.cmdline);
    let store = host
        .succeed("findmnt -n -o FSTYPE -T /nix/store")
        .await
        .expect("an answer");
    assert_eq!(store.trim(), manifest.store_filesystem);
    let kib = host
        .succeed("sed -n 's/^MemTotal: *\\([0-9]*\\) kB$/\\1/p' /proc/meminfo")
        .await
        .expect("an answer");
    let mib = kib.trim().parse::<u32>().expect("a number") / 1024;
    let promised = manifest.memory_mib;
    assert!(
        (promised * 9 / 10..=promised).contains(&mib),
        "{mib} MiB of {promised}"
    );
    let ended = tokio::time::timeout(Duration::from_secs(60), host.shut_down()).await;
    ended.expect("in time").expect("it ends");
}
