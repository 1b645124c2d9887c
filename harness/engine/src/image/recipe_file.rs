//! A recipe as it is written, which may extend another one.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;

use super::{
    embedded,
    error::ImageError,
    recipe::{FileContent, FileSpec, GuestBaseSpec, ImageKind, RecipeSpec, Units},
    validate,
};

/// Gives the content of a file by its path, which is relative to a recipe.
pub(crate) type Read<'a> = &'a dyn Fn(&Utf8Path) -> Result<Vec<u8>, ImageError>;

/// More recipes than this in one chain are taken for a circle.
const DEEPEST: usize = 8;

/// Where a NixOS host has what provisions it.
const NIXOS_PROVISION: &str = "/run/current-system/sw/bin/spawnlab-provision";

/// What a recipe and those that it extends say together: the spec, and what is in its files.
pub(crate) type Written = (RecipeSpec, BTreeMap<Utf8PathBuf, FileContent>);

/// One file. What it leaves out is said by the recipe that it extends, or has a default.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecipeFile {
    extends: Option<String>,
    kind: Option<ImageKind>,
    name: Option<String>,
    suite: Option<String>,
    variant: Option<String>,
    mirrors: Option<Vec<String>>,
    apt_options: Option<Vec<String>>,
    packages: Option<Vec<String>>,
    #[serde(default)]
    more_packages: Vec<String>,
    excludes: Option<Vec<String>>,
    disk_mib: Option<u32>,
    memory_mib: Option<u32>,
    provision: Option<Utf8PathBuf>,
    modules: Option<Vec<String>>,
    cmdline: Option<Vec<String>>,
    #[serde(default)]
    units: UnitsFile,
    #[serde(default)]
    files: BTreeMap<Utf8PathBuf, FileSpec>,
    guest_base: Option<Vec<GuestBaseFile>>,
    nixos_modules: Option<Vec<Utf8PathBuf>>,
    /// What is in `files`.
    #[serde(skip)]
    contents: BTreeMap<Utf8PathBuf, FileContent>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct UnitsFile {
    enable: Option<Vec<String>>,
    disable: Option<Vec<String>>,
    mask: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GuestBaseFile {
    suite: Option<String>,
    variant: Option<String>,
    mirrors: Option<Vec<String>>,
    apt_options: Option<Vec<String>>,
    packages: Vec<String>,
    busybox: Utf8PathBuf,
    #[serde(default)]
    excludes: Vec<String>,
    keep: Vec<String>,
    #[serde(default)]
    remove: Vec<String>,
}

/// Reads `text`, and what it extends.
///
/// # Errors
/// [`ImageError::Recipe`], with the file and the line where there is one; those of `read`.
pub(crate) fn read(origin: &str, text: &str, read: Read<'_>) -> Result<Written, ImageError> {
    let mut chain = vec![origin.to_owned()];
    let file = load(origin, text, Utf8Path::new(""), read, &mut chain)?;
    let contents = file.contents.clone();
    let spec = file.resolved().map_err(|missing| {
        let chain = chain.join(", which extends ");
        bad(&chain, format!("nothing says what {missing} is"))
    })?;
    Ok((spec, contents))
}

fn bad(origin: &str, why: String) -> ImageError {
    ImageError::Recipe {
        origin: origin.to_owned(),
        why,
    }
}

/// `folder` is that of the recipe, as `read` takes it; `chain` has the recipes that led here.
fn load(
    origin: &str,
    text: &str,
    folder: &Utf8Path,
    read: Read<'_>,
    chain: &mut Vec<String>,
) -> Result<RecipeFile, ImageError> {
    let mut file: RecipeFile = toml::from_str(text)
        .map_err(|error| bad(origin, error.to_string().trim_end().to_owned()))?;
    for (path, spec) in &file.files {
        let content = content(origin, path, spec, |from| read(&folder.join(from)))?;
        file.contents.insert(path.clone(), content);
    }
    let Some(extended) = file.extends.take() else {
        return Ok(file);
    };
    let is_file = extended.ends_with(".toml") || extended.contains('/');
    let path = folder.join(&extended);
    let name = match (is_file, Utf8Path::new(origin).parent()) {
        (true, Some(parent)) => parent.join(&extended).into_string(),
        _ => extended.clone(),
    };
    if chain.contains(&name) || chain.len() == DEEPEST {
        let chain = chain.join(", which extends ");
        return Err(bad(
            origin,
            format!("it extends itself, or too many others: {chain}"),
        ));
    }
    chain.push(name.clone());
    let below = if is_file {
        let text = String::from_utf8(read(&path)?)
            .map_err(|_| bad(&name, "it is not UTF-8".to_owned()))?;
        let folder = path.parent().unwrap_or(Utf8Path::new(""));
        load(&name, &text, folder, read, chain)?
    } else {
        let text = embedded::recipe(&extended).map_err(|why| bad(origin, why))?;
        load(&name, text, Utf8Path::new(""), &embedded::file, chain)?
    };
    Ok(file.over(below))
}

fn content(
    origin: &str,
    path: &Utf8Path,
    file: &FileSpec,
    read: impl Fn(&Utf8Path) -> Result<Vec<u8>, ImageError>,
) -> Result<FileContent, ImageError> {
    let mode = || validate::mode(&file.mode).map_err(|why| bad(origin, why));
    match (&file.text, &file.from, &file.link) {
        (Some(text), None, None) => Ok(FileContent::Bytes {
            mode: mode()?,
            bytes: text.clone().into_bytes(),
        }),
        (None, Some(from), None) => Ok(FileContent::Bytes {
            mode: mode()?,
            bytes: read(from)?,
        }),
        (None, None, Some(link)) => Ok(FileContent::Link(link.clone())),
        _ => Err(bad(
            origin,
            format!("file {path} needs exactly one of text, from and link"),
        )),
    }
}

impl RecipeFile {
    /// What this file says, and of `below` what it does not say. Tables are joined, lists are not.
    fn over(self, mut below: Self) -> Self {
        below.files.extend(self.files);
        below.contents.extend(self.contents);
        Self {
            extends: None,
            kind: self.kind.or(below.kind),
            name: self.name.or(below.name),
            suite: self.suite.or(below.suite),
            variant: self.variant.or(below.variant),
            mirrors: self.mirrors.or(below.mirrors),
            apt_options: self.apt_options.or(below.apt_options),
            packages: self.packages.or(below.packages),
            more_packages: [below.more_packages, self.more_packages].concat(),
            excludes: self.excludes.or(below.excludes),
            disk_mib: self.disk_mib.or(below.disk_mib),
            memory_mib: self.memory_mib.or(below.memory_mib),
            provision: self.provision.or(below.provision),
            modules: self.modules.or(below.modules),
            cmdline: self.cmdline.or(below.cmdline),
            units: UnitsFile {
                enable: self.units.enable.or(below.units.enable),
                disable: self.units.disable.or(below.units.disable),
                mask: self.units.mask.or(below.units.mask),
            },
            files: below.files,
            guest_base: self.guest_base.or(below.guest_base),
            nixos_modules: self.nixos_modules.or(below.nixos_modules),
            contents: below.contents,
        }
    }

    /// The spec, or the key that nobody gave.
    fn resolved(self) -> Result<RecipeSpec, &'static str> {
        let kind = self.kind.unwrap_or_default();
        let suite = self.suite.ok_or("suite")?;
        let mirrors = self.mirrors.unwrap_or_default();
        let apt_options = self.apt_options.unwrap_or_default();
        let guest_base = self.guest_base.unwrap_or_default().into_iter();
        let guest_base = guest_base
            .map(|base| base.resolved(&suite, &mirrors, &apt_options))
            .collect();
        Ok(RecipeSpec {
            kind,
            name: self.name.ok_or("name")?,
            variant: self.variant.unwrap_or_else(minbase),
            packages: match kind {
                ImageKind::Debian => {
                    [self.packages.ok_or("packages")?, self.more_packages].concat()
                }
                ImageKind::Nixos => {
                    [self.packages.unwrap_or_default(), self.more_packages].concat()
                }
            },
            excludes: self.excludes.unwrap_or_default(),
            disk_mib: self.disk_mib.ok_or("disk_mib")?,
            memory_mib: self.memory_mib.ok_or("memory_mib")?,
            provision: match kind {
                ImageKind::Debian => self.provision.ok_or("provision")?,
                ImageKind::Nixos => self.provision.unwrap_or_else(|| NIXOS_PROVISION.into()),
            },
            modules: self.modules.unwrap_or_default(),
            cmdline: self.cmdline.unwrap_or_default(),
            units: Units {
                enable: self.units.enable.unwrap_or_default(),
                disable: self.units.disable.unwrap_or_default(),
                mask: self.units.mask.unwrap_or_default(),
            },
            files: self.files,
            guest_base,
            nixos_modules: self.nixos_modules.unwrap_or_default(),
            suite,
            mirrors,
            apt_options,
        })
    }
}

impl GuestBaseFile {
    /// Of the recipe's own suite, and from its archive, unless it names another suite.
    fn resolved(self, suite: &str, mirrors: &[String], apt_options: &[String]) -> GuestBaseSpec {
        let same = self.suite.as_deref().is_none_or(|own| own == suite);
        let of_recipe = |list: &[String]| if same { list.to_vec() } else { vec![] };
        GuestBaseSpec {
            suite: self.suite.unwrap_or_else(|| suite.to_owned()),
            variant: self.variant.unwrap_or_else(minbase),
            mirrors: self.mirrors.unwrap_or_else(|| of_recipe(mirrors)),
            apt_options: self.apt_options.unwrap_or_else(|| of_recipe(apt_options)),
            packages: self.packages,
            busybox: self.busybox,
            excludes: self.excludes,
            keep: self.keep,
            remove: self.remove,
        }
    }
}

fn minbase() -> String {
    "minbase".to_owned()
}

#[cfg(test)]
#[path = "recipe_file_tests.rs"]
mod tests;
