//! The guest base of an image, taken out of it for hosts of other images.
//!
//! A host of one suite runs guests of another by the very tree that the other suite's own hosts have: nothing is
//! built a second time, and images stay as large as they are.

use std::io::{BufWriter, Read as _, Write};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use camino::{Utf8Path, Utf8PathBuf};
use sha2::{Digest as _, Sha256};

use super::{
    build::{build_step::BuildStep, plan},
    cache::{Cache, LOCK_LIMIT},
    error::{Doing as _, ImageError},
    lock::ImageLock,
    manifest::GuestBaseEntry,
    nar,
    open::Image,
};

/// Copies a folder of a file system that is not mounted into `tree`. The folders of a Nix store are read-only, and so
/// are those that an earlier attempt left.
const TAKE: &str = r#"set -e
if [ -d tree ]; then chmod -R u+w tree; fi
rm -rf tree
mkdir tree
debugfs -R "rdump $1 tree" "$2"
chmod -R u+w tree"#;

impl Cache {
    /// The archive (as `nix-store --restore` reads it) of the guest base `base` of `image`, which is taken out of the
    /// image's disk if it is not in the cache. Blocks, for some seconds.
    ///
    /// # Errors
    /// [`ImageError::GuestBase`] if the image does not hold what its description says, or not in a form that can
    /// be read here; [`ImageError::Step`], [`ImageError::Io`].
    pub fn guest_base(
        &self,
        image: &Image,
        base: &GuestBaseEntry,
    ) -> Result<Utf8PathBuf, ImageError> {
        let bad = |why: &str| ImageError::GuestBase {
            dir: image.dir().to_owned(),
            path: base.path.clone(),
            why: why.to_owned(),
        };
        let name = store_name(&base.path).ok_or_else(|| bad("this is no path in a Nix store"))?;
        let disk = image.manifest().disks.first();
        let disk = disk
            .filter(|disk| disk.format == "raw")
            .ok_or_else(|| bad("only raw disks can be read"))?;
        let folder = self.folder("guests")?;
        let archive = folder.join(format!("{name}.nar"));
        let _lock = ImageLock::wait(
            &folder.join(format!(".lock-{name}")),
            name,
            LOCK_LIMIT,
            &self.stop,
        )?;
        if archive.exists() && hash_of(&archive)? == base.hash {
            return Ok(archive);
        }

        let work = folder.join(format!(".taking-{name}"));
        std::fs::create_dir_all(&work).doing("create", &work)?;
        BuildStep::new(
            format!("taking {name} out of {}", image.dir()),
            "sh",
            work.join("log"),
            plan::DISK_LIMIT,
        )
        .args([
            "-c",
            TAKE,
            "sh",
            base.path.as_str(),
            image.file(&disk.file).as_str(),
        ])
        .dir(&work)
        .stopped_by(&self.stop)
        .run()?;
        let tree = work.join("tree").join(name);
        if !tree.is_dir() {
            return Err(bad("its disk does not have it"));
        }
        let new = work.join("nar");
        let file = std::fs::File::create(&new).doing("create", &new)?;
        let mut buffered = BufWriter::with_capacity(1 << 20, file);
        nar::write(tree.as_std_path(), &mut buffered)
            .and_then(|()| buffered.flush())
            .and_then(|()| buffered.get_ref().sync_all())
            .doing("archive", &tree)?;
        let found = hash_of(&new)?;
        if found != base.hash {
            return Err(bad(&format!(
                "its hash there is {found}, and {} in the description",
                base.hash
            )));
        }
        std::fs::rename(&new, &archive).doing("rename", new)?;
        std::fs::remove_dir_all(&work).doing("remove", work)?;
        Ok(archive)
    }
}

/// The last part of a path in the Nix store, if it is one and plain enough for debugfs' command line.
fn store_name(path: &Utf8Path) -> Option<&str> {
    let name = path.as_str().strip_prefix("/nix/store/")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "+-._?=".contains(c);
    (name.len() > 32 && !name.starts_with('.') && name.chars().all(plain)).then_some(name)
}

/// `sha256-BASE64` of a file.
fn hash_of(path: &Utf8Path) -> Result<String, ImageError> {
    let mut file = std::fs::File::open(path).doing("read", path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).doing("read", path)? {
            0 => break,
            length => hash.update(&buffer[..length]),
        }
    }
    Ok(format!(
        "sha256-{}",
        BASE64_STANDARD.encode(hash.finalize())
    ))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::image::manifest_sample;

    const NAME: &str = "0123456789abcdfghijklmnpqrsvwxyz-guest-base-sid";

    /// A cache, and an image whose disk has a small guest base.
    fn image(root: &Utf8Path) -> (Cache, Image, GuestBaseEntry) {
        let cache = Cache::at(root.join("cache")).expect("a cache");
        let tree = root.join("tree/nix/store").join(NAME);
        std::fs::create_dir_all(tree.join("usr/bin")).expect("made");
        std::fs::write(tree.join("usr/bin/busybox"), "busybox").expect("written");
        let mut archive = Vec::new();
        nar::write(tree.as_std_path(), &mut archive).expect("archived");
        let hash = format!(
            "sha256-{}",
            BASE64_STANDARD.encode(Sha256::digest(&archive))
        );

        let dir = root.join("image");
        std::fs::create_dir(&dir).expect("made");
        let mut manifest = manifest_sample();
        for (_, file) in manifest.files() {
            std::fs::write(dir.join(file), "").expect("written");
        }
        let disk = dir.join(&manifest.disks[0].file);
        let mkfs = Command::new("mke2fs")
            .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
            .args(["-q", "-F", "-t", "ext4", "-d"])
            .args([root.join("tree").as_str(), disk.as_str(), "8M"])
            .status()
            .expect("mke2fs starts");
        assert!(mkfs.success());
        let base = GuestBaseEntry {
            path: format!("/nix/store/{NAME}").into(),
            hash,
            ..manifest.guest_bases[0].clone()
        };
        manifest.guest_bases = vec![base.clone()];
        let text = serde_json::to_vec(&manifest).expect("plain data");
        std::fs::write(dir.join("image.json"), text).expect("written");
        (cache, Image::open(dir).expect("an image"), base)
    }

    #[test]
    fn a_base_is_taken_out_once_and_again_when_it_was_damaged() {
        let dir = tempfile::tempdir().expect("a folder");
        let (cache, image, base) = image(Utf8Path::from_path(dir.path()).expect("UTF-8"));
        let archive = cache.guest_base(&image, &base).expect("taken out");
        assert_eq!(hash_of(&archive).expect("read"), base.hash);
        let before = std::fs::metadata(&archive).expect("there").modified().ok();
        cache.guest_base(&image, &base).expect("there");
        let after = std::fs::metadata(&archive).expect("there").modified().ok();
        assert_eq!(before, after);

        std::fs::write(&archive, "damaged").expect("written");
        // What a builder that was killed left, read-only as it is in a store.
        let left = archive.with_file_name(format!(".taking-{NAME}"));
        std::fs::create_dir_all(left.join("tree/old")).expect("made");
        let status = Command::new("chmod")
            .args(["-R", "a-w", left.join("tree").as_str()])
            .status();
        assert!(status.expect("chmod starts").success());
        let again = cache.guest_base(&image, &base).expect("taken out again");
        assert_eq!(hash_of(&again).expect("read"), base.hash);
        assert!(!left.exists());
    }

    #[test]
    fn what_the_image_does_not_hold_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let root = Utf8Path::from_path(dir.path()).expect("UTF-8");
        let (cache, image, base) = image(root);
        let said = |base: &GuestBaseEntry| {
            let error = cache.guest_base(&image, base).expect_err("refused");
            error.to_string().replace(root.as_str(), "<folder>")
        };
        let other = NAME.replace("sid", "woody");
        let cases = [
            GuestBaseEntry {
                hash: "sha256-AAAA".into(),
                ..base.clone()
            },
            GuestBaseEntry {
                path: format!("/nix/store/{other}").into(),
                ..base.clone()
            },
            GuestBaseEntry {
                path: "/nix/store/x; quit".into(),
                ..base.clone()
            },
        ];
        let texts: Vec<_> = cases.iter().map(said).collect();
        insta::assert_snapshot!(texts.join("\n"));
    }
}
