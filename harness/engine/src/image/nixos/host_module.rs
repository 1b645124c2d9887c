//! Modules of the user's own for a NixOS host, with what lies beside them: a module may import it.

use std::os::unix::fs::PermissionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};

use super::inputs::NixosFile;
use crate::image::ImageError;

/// More than this beside a module is a mistake, such as a module in a home folder. In bytes.
const LARGEST: u64 = 16 << 20;
/// A link to a folder above would go round for ever.
const DEEPEST: usize = 32;

/// A module that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostModule {
    /// Its file's name.
    pub(crate) name: String,
    /// It, and what lies beside it, relative to its folder.
    pub(crate) files: Vec<NixosFile>,
}

impl HostModule {
    /// Whether `file` can be a module.
    ///
    /// # Errors
    /// [`ImageError::HostModule`].
    pub(super) fn look(file: &Utf8Path) -> Result<(), ImageError> {
        let wrong = |why: &str| ImageError::HostModule {
            file: file.to_owned(),
            why: why.to_owned(),
        };
        if file.extension() != Some("nix") {
            return Err(wrong(
                "its name does not end with .nix; --host-module takes a NixOS module in a file such as host.nix",
            ));
        }
        if !file.is_file() {
            return Err(wrong("there is no such file"));
        }
        // The name stands in a script, between single quotes and with blanks around.
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
        if !file.file_name().is_some_and(|name| name.chars().all(plain)) {
            return Err(wrong("its name may have letters, digits and -_.+ only"));
        }
        Ok(())
    }

    /// Reads the module in `file` and all that lies beside it, without what begins with a dot and results of Nix.
    ///
    /// # Errors
    /// [`ImageError::HostModule`].
    pub(super) fn read(file: &Utf8Path) -> Result<Self, ImageError> {
        Self::look(file)?;
        let folder = match file.parent() {
            Some(folder) if !folder.as_str().is_empty() => folder,
            _ => Utf8Path::new("."),
        };
        let mut files = vec![];
        let mut room = LARGEST;
        read(folder, Utf8Path::new(""), &mut files, &mut room).map_err(|why| {
            ImageError::HostModule {
                file: file.to_owned(),
                why,
            }
        })?;
        Ok(Self {
            name: file.file_name().unwrap_or_default().to_owned(),
            files,
        })
    }
}

/// Reads what is at `relative` in `folder`. Links are followed.
fn read(
    folder: &Utf8Path,
    relative: &Utf8Path,
    files: &mut Vec<NixosFile>,
    room: &mut u64,
) -> Result<(), String> {
    let here = folder.join(relative);
    let unread = |path: &Utf8Path, error: std::io::Error| {
        format!("{path}, which lies beside it, can't be read: {error}")
    };
    let mut names = vec![];
    for entry in here.read_dir_utf8().map_err(|error| unread(&here, error))? {
        let entry = entry.map_err(|error| unread(&here, error))?;
        names.push(entry.file_name().to_owned());
    }
    names.sort();
    for name in names {
        if name.starts_with('.') || name == "result" {
            continue;
        }
        let relative = relative.join(&name);
        let path = folder.join(&relative);
        let meta = std::fs::metadata(&path).map_err(|error| unread(&path, error))?;
        if meta.is_dir() {
            if relative.components().count() > DEEPEST {
                return Err(format!("{path}: folders are nested too deep"));
            }
            read(folder, &relative, files, room)?;
        } else if meta.is_file() {
            *room = room.checked_sub(meta.len()).ok_or_else(|| {
                format!(
                    "more than {} MiB lie beside it, and all of that would go along; put the module into a folder of its own",
                    LARGEST >> 20
                )
            })?;
            files.push(NixosFile {
                executable: meta.permissions().mode() & 0o100 != 0,
                content: std::fs::read(&path).map_err(|error| unread(&path, error))?,
                path: relative,
            });
        }
    }
    Ok(())
}

/// The modules' paths in the archive that the build gets: each has a folder of its number.
pub(crate) fn paths(modules: &[HostModule]) -> Vec<Utf8PathBuf> {
    let path = |(number, module): (usize, &HostModule)| {
        Utf8PathBuf::from(format!("{number}/{}", module.name))
    };
    modules.iter().enumerate().map(path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
        let dir = tempfile::tempdir().expect("a folder");
        let path = Utf8PathBuf::try_from(dir.path().to_owned()).expect("UTF-8");
        (dir, path)
    }

    #[test]
    fn what_lies_beside_a_module_goes_along() {
        let (_dir, root) = folder();
        for path in ["lib/deep", ".git"] {
            std::fs::create_dir_all(root.join(path)).expect("made");
        }
        for path in ["host.nix", "lib/deep/a.nix", ".git/config", ".hidden"] {
            std::fs::write(root.join(path), path).expect("written");
        }
        let module = HostModule::read(&root.join("host.nix")).expect("read");
        let names: Vec<_> = module.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(names, ["host.nix", "lib/deep/a.nix"]);
        assert_eq!(
            paths(&[module.clone(), module]),
            ["0/host.nix", "1/host.nix"]
        );
    }

    #[test]
    fn what_is_no_module_is_refused() {
        let (_dir, root) = folder();
        let large = std::fs::File::create(root.join("large")).expect("made");
        for name in ["a b.nix", "host.nix"] {
            std::fs::write(root.join(name), "{ }").expect("written");
        }
        let said = |name: &str| {
            let error = HostModule::read(&root.join(name)).expect_err("refused");
            error.to_string().replace(root.as_str(), "<folder>")
        };
        large.set_len(LARGEST).expect("large");
        let texts = ["large", "gone.nix", "a b.nix", "host.nix"].map(said);
        insta::assert_snapshot!(texts.join("\n"));
    }
}
