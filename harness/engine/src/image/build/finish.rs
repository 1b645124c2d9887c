//! The image's folder, from what the assembly left.

use camino::{Utf8Path, Utf8PathBuf};

use super::{assemble, initrd, nixos, packages::Records, system, trees, workdir::Workdir};
use crate::image::{
    error::{Doing as _, ImageError},
    manifest::{AgentPort, MANIFEST_FILE, MANIFEST_VERSION, Manifest, Provenance, RootDisk},
    recipe::{ImageKind, Recipe},
    recipe_id,
};

const KERNEL: &str = "vmlinuz";
const INITRD: &str = "initrd";
const PACKAGES: &str = "packages.tsv";

/// Fills the work folder's `out` and returns it. `image.json` is written last.
pub(crate) fn run(recipe: &Recipe, work: &Workdir) -> Result<Utf8PathBuf, ImageError> {
    let out = work.out();
    let export = work.work().join("export");
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(out.join(name), bytes).doing("write", out.join(name))
    };

    let trees: Vec<String> = match recipe.spec().kind {
        ImageKind::Debian => trees::plans(recipe.spec())
            .into_iter()
            .map(|tree| tree.name)
            .collect(),
        ImageKind::Nixos => vec![nixos::PROGRAMS.to_owned()],
    };
    let mut records = Records::read(&export, trees.iter().map(String::as_str))?;
    if recipe.spec().kind == ImageKind::Nixos {
        let switch = nixos::switch(recipe.nixos.as_ref());
        records.packages.push_str(&switch);
    }
    write(PACKAGES, records.packages.as_bytes())?;
    write(
        KERNEL,
        &std::fs::read(export.join(KERNEL)).doing("read", export.join(KERNEL))?,
    )?;
    write(INITRD, &initrd::build(&export)?)?;
    let disk = work.work().join(assemble::DISK);
    std::fs::rename(&disk, out.join(assemble::DISK)).doing("rename", disk)?;

    let manifest = manifest(recipe, &export, records)?;
    let mut json = serde_json::to_vec_pretty(&manifest)
        .map_err(std::io::Error::from)
        .doing("write", out.join(MANIFEST_FILE))?;
    json.push(b'\n');
    write(MANIFEST_FILE, &json)?;
    Ok(out)
}

fn manifest(recipe: &Recipe, export: &Utf8Path, records: Records) -> Result<Manifest, ImageError> {
    let spec = recipe.spec();
    let system = match spec.kind {
        ImageKind::Debian => system::of_debian(spec, export, &records)?,
        ImageKind::Nixos => system::of_nixos(spec, export)?,
    };
    // To the nanosecond: two builds of one recipe are different images, and layers of one don't fit the other.
    let built_at = jiff::Timestamp::now().to_string();
    Ok(Manifest {
        version: MANIFEST_VERSION,
        name: spec.name.clone(),
        id: recipe_id::hash([recipe.id(), &built_at, &records.packages]),
        recipe: recipe.id().to_owned(),
        arch: std::env::consts::ARCH.to_owned(),
        kernel: KERNEL.into(),
        initrd: INITRD.into(),
        cmdline: system.cmdline.join(" "),
        disks: vec![RootDisk {
            file: assemble::DISK.into(),
            format: "raw".to_owned(),
            serial: "root".to_owned(),
        }],
        agent: AgentPort {
            port: "org.qemu.guest_agent.0".to_owned(),
            protocol: "qemu-ga".to_owned(),
        },
        os: system.os,
        versions: system.versions,
        store_filesystem: "ext4".to_owned(),
        memory_mib: spec.memory_mib,
        provision: system.provision,
        guest_bases: system.guest_bases,
        provenance: Provenance {
            releases: records.releases.into_iter().collect(),
            built_at,
            packages: PACKAGES.into(),
        },
    })
}
