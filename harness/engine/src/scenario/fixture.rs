//! What a lab is about: what goes onto its lab disk, and what is deployed before scenarios start.

use std::os::unix::fs::PermissionsExt;

use camino::Utf8Path;

use crate::{
    layer::labdisk::LabFile,
    util::error::{Error, Result},
};

/// Where provisioning looks for the flake that is deployed.
pub const FLAKE: &str = "guests";
/// Where it looks for the containers that the host declares.
pub const CONTAINERS: &str = "containers.nix";
/// Where the fixture's own declarations are beside somebody else's.
pub const OWN_CONTAINERS: &str = "lab-containers.nix";
/// The folder with the program `apply`, which declares them on a host.
pub const DECLARATION: &str = "nix";

/// What makes a booted host the lab's.
pub const PROVISION: &str = "provision";

/// The host's provisioning, which is the lab's for whatever fixture.
const PROVISIONING: &[u8] = include_bytes!("../../lab/provision");

macro_rules! library {
    ($($name:literal),* $(,)?) => {
        &[$((concat!("guests/lib/", $name), include_bytes!(concat!("../../../../vm-images/guests/lib/", $name)).as_slice())),*]
    };
}

/// What makes system closures of the Debian trees that images have: a flake imports it as `./lib`.
const LIBRARY: &[(&str, &[u8])] = library![
    "activate.sh",
    "base.nix",
    "build.sh",
    "closure.nix",
    "common.nix",
    "init.sh",
    "switch-to-configuration.sh",
    "unhardened.nix",
];

/// More than this does not fit on the lab disk beside a tool, in bytes.
const LARGEST: u64 = 16 << 20;

/// The files of a lab and what it deploys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fixture {
    /// Everything on the lab disk but the tool under test and the lab's own agent.
    pub files: Vec<LabFile>,
    /// What the layer `deployed` holds, in the order in which it is deployed.
    pub deployed: Vec<Deployed>,
}

/// A machine of the flake in a container of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployed {
    /// The machine: `nixosConfigurations.MACHINE`.
    pub machine: String,
    /// The container.
    pub container: String,
}

impl Fixture {
    /// One whose hosts are provisioned, and that lacks all that is tested: a flake, containers, and what
    /// declares them.
    #[must_use]
    pub fn provisioned() -> Self {
        let mut fixture = Self::default();
        fixture.put_file(PROVISION, PROVISIONING.to_vec());
        fixture
    }

    /// Puts the flake in `folder` to where it is deployed from. What makes closures of Debian trees is the
    /// lab's, unless the flake has a folder `lib` of its own.
    ///
    /// # Errors
    /// When it is no flake, can't be read, or is too much for the disk.
    pub fn put_flake(&mut self, folder: &Utf8Path) -> Result<()> {
        let flake = folder.join("flake.nix");
        if !flake.is_file() {
            return Err(Error::Machine(format!("there is no {flake}")));
        }
        self.put_folder(FLAKE, folder)?;
        if !folder.join("lib").exists() {
            for (path, content) in LIBRARY {
                self.put_file(path, content.to_vec());
            }
        }
        Ok(())
    }

    /// Puts `folder` with all that is in it to `destination`, instead of what is there. Links are followed;
    /// what begins with a dot, and results of Nix, stay behind.
    ///
    /// # Errors
    /// When something can't be read, or is too much for the disk.
    pub fn put_folder(&mut self, destination: &str, folder: &Utf8Path) -> Result<()> {
        let mut files = vec![];
        let mut room = LARGEST;
        read(folder, Utf8Path::new(destination), &mut files, &mut room)?;
        if files.is_empty() {
            return Err(Error::Machine(format!("there is nothing in {folder}")));
        }
        self.files
            .retain(|file| !file.path.starts_with(destination));
        self.files.append(&mut files);
        Ok(())
    }

    /// Puts `content` to `destination`, instead of what is there.
    pub fn put_file(&mut self, destination: &str, content: Vec<u8>) {
        self.files.retain(|file| file.path != destination);
        self.files.push(LabFile {
            path: destination.into(),
            // A script is known by its first two bytes.
            executable: content.starts_with(b"#!"),
            content,
        });
    }

    /// Declares the containers of `text`, a Nix file, which can import the fixture's own as [`OWN_CONTAINERS`].
    pub fn declare(&mut self, text: &[u8]) {
        for file in &mut self.files {
            if file.path == CONTAINERS {
                file.path = OWN_CONTAINERS.into();
            }
        }
        self.put_file(CONTAINERS, text.to_vec());
    }

    /// The names of the containers that hold something.
    #[must_use]
    pub fn containers(&self) -> Vec<&str> {
        let names = self.deployed.iter().map(|one| one.container.as_str());
        names.collect()
    }
}

fn read(
    folder: &Utf8Path,
    destination: &Utf8Path,
    files: &mut Vec<LabFile>,
    room: &mut u64,
) -> Result<()> {
    let mut entries = fs_err::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs_err::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            let why = format!("{}: the name is not UTF-8", entry.path().display());
            return Err(Error::Machine(why));
        };
        if name.starts_with('.') || name == "result" {
            continue;
        }
        let (path, destination) = (folder.join(name), destination.join(name));
        let meta = fs_err::metadata(&path)?;
        if meta.is_dir() {
            // A link to a folder above would go round for ever.
            if destination.components().count() > 32 {
                return Err(Error::Machine(format!(
                    "{path}: folders are nested too deep"
                )));
            }
            read(&path, &destination, files, room)?;
            continue;
        }
        *room = room.checked_sub(meta.len()).ok_or_else(|| {
            let mib = LARGEST >> 20;
            Error::Machine(format!(
                "{path}: more than {mib} MiB do not fit on the lab disk; leave out what no guest is made of"
            ))
        })?;
        files.push(LabFile {
            path: destination,
            executable: meta.permissions().mode() & 0o111 != 0,
            content: fs_err::read(&path)?,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(fixture: &Fixture) -> Vec<&str> {
        fixture
            .files
            .iter()
            .map(|file| file.path.as_str())
            .collect()
    }

    #[test]
    fn a_folder_takes_the_place_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(folder.path()).unwrap();
        fs_err::create_dir_all(dir.join("lib")).unwrap();
        fs_err::write(dir.join("flake.nix"), "{ }").unwrap();
        fs_err::write(dir.join("lib/init.sh"), "#!/bin/sh\n").unwrap();
        fs_err::write(dir.join(".hidden"), "").unwrap();
        std::os::unix::fs::symlink("flake.nix", dir.join("same.nix")).unwrap();
        let mut fixture = Fixture::default();
        fixture.put_file("guests/flake.nix", b"old".to_vec());
        fixture.put_file("guests/old.nix", b"old".to_vec());
        fixture.put_file("guests-of-others", b"#!/bin/sh".to_vec());
        fixture.put_folder(FLAKE, dir).unwrap();
        assert_eq!(
            paths(&fixture),
            [
                "guests-of-others",
                "guests/flake.nix",
                "guests/lib/init.sh",
                "guests/same.nix"
            ]
        );
        assert!(fixture.files[0].executable);
        assert_eq!(fixture.files[3].content, b"{ }");
    }

    #[test]
    fn a_flake_without_a_library_gets_the_labs() {
        let folder = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(folder.path()).unwrap();
        let mut fixture = Fixture::provisioned();
        let error = fixture.put_flake(dir).unwrap_err().to_string();
        assert_eq!(error, format!("there is no {dir}/flake.nix"));
        fs_err::write(dir.join("flake.nix"), "{ }").unwrap();
        fixture.put_flake(dir).unwrap();
        let ours = fs_err::read_dir("../../vm-images/guests/lib").unwrap();
        let mut expected = vec!["provision".to_owned(), "guests/flake.nix".to_owned()];
        let ours = ours.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        expected.extend(ours.map(|name| format!("guests/lib/{name}")));
        expected.sort();
        let mut seen = paths(&fixture);
        seen.sort_unstable();
        assert_eq!(seen, expected);
        fs_err::create_dir(dir.join("lib")).unwrap();
        fs_err::write(dir.join("lib/own.nix"), "{ }").unwrap();
        fixture.put_flake(dir).unwrap();
        assert_eq!(
            paths(&fixture),
            ["provision", "guests/flake.nix", "guests/lib/own.nix"]
        );
    }

    #[test]
    fn what_does_not_end_or_fit_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(folder.path()).unwrap();
        let mut fixture = Fixture::default();
        let why = |error: Error| error.to_string();
        assert!(why(fixture.put_folder(FLAKE, dir).unwrap_err()).contains("nothing in"));
        assert!(why(fixture.put_folder(FLAKE, &dir.join("x")).unwrap_err()).contains("/x"));
        std::os::unix::fs::symlink(".", dir.join("round")).unwrap();
        assert!(fixture.put_folder(FLAKE, dir).is_err());
        fs_err::remove_file(dir.join("round")).unwrap();
        let large = fs_err::File::create(dir.join("large")).unwrap();
        large.set_len(LARGEST + 1).unwrap();
        assert!(why(fixture.put_folder(FLAKE, dir).unwrap_err()).contains("16 MiB"));
        assert_eq!(fixture, Fixture::default());
    }
}
