//! The image's folder, from what the assembly left.

use camino::{Utf8Path, Utf8PathBuf};

use super::{assemble, initrd, packages::Records, trees, workdir::Workdir};
use crate::image::{
    error::{Doing as _, ImageError},
    manifest::{
        Agent, Disk, GuestBaseEntry, MANIFEST_FILE, MANIFEST_VERSION, Manifest, Os, Provenance,
        Versions,
    },
    recipe::Recipe,
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

    let trees = trees::plans(recipe.spec());
    let records = Records::read(&export, trees.iter().map(|tree| tree.name.as_str()))?;
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
    let read =
        |name: &str| std::fs::read_to_string(export.join(name)).doing("read", export.join(name));
    let release = read("os-release")?;
    let field = |name: &str| os_release_field(&release, name);
    let version = |package: &str| records.version(package).unwrap_or("none").to_owned();
    let guest_bases = spec
        .guest_base
        .iter()
        .map(|base| {
            let name = format!("guest-base.{}.json", base.name());
            let entry: GuestBaseEntry =
                serde_json::from_str(&read(&name)?).map_err(|error| ImageError::BadManifest {
                    path: export.join(name),
                    why: error.to_string(),
                })?;
            Ok(entry)
        })
        .collect::<Result<Vec<_>, ImageError>>()?;
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
        cmdline: spec.cmdline.join(" "),
        disks: vec![Disk {
            file: assemble::DISK.into(),
            format: "raw".to_owned(),
            serial: "root".to_owned(),
        }],
        agent: Agent {
            port: "org.qemu.guest_agent.0".to_owned(),
            protocol: "qemu-ga".to_owned(),
        },
        os: Os {
            id: field("ID").unwrap_or("linux").to_owned(),
            // sid has no number.
            version: field("VERSION_ID").unwrap_or(&spec.suite).to_owned(),
            pretty: field("PRETTY_NAME").unwrap_or(&spec.suite).to_owned(),
        },
        versions: Versions {
            systemd: version("systemd"),
            nix: version("nix-bin"),
            kernel: read("kernel")?.trim().to_owned(),
        },
        store_filesystem: "ext4".to_owned(),
        memory_mib: spec.memory_mib,
        provision: spec.provision.clone(),
        guest_bases,
        provenance: Provenance {
            releases: records.releases.into_iter().collect(),
            built_at,
            packages: PACKAGES.into(),
        },
    })
}

fn os_release_field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key == name).then(|| value.trim_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_release_values_lose_their_quotes() {
        let text = "PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nID=debian\n";
        assert_eq!(
            os_release_field(text, "PRETTY_NAME"),
            Some("Debian GNU/Linux 13 (trixie)")
        );
        assert_eq!(os_release_field(text, "ID"), Some("debian"));
        assert_eq!(os_release_field(text, "VERSION_ID"), None);
    }
}
