//! What a recipe may say. Its words end up in command lines and in a shell script between single quotes, so each
//! kind of word has an alphabet.

use std::collections::BTreeSet;

use camino::Utf8Path;

use super::recipe::{GuestBaseSpec, ImageKind, RecipeSpec, Units};

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz0123456789";
const WORD: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
/// Of shell patterns.
const PATTERN: &str = "-./*?+@";

/// The first thing that is wrong with `spec`.
pub(crate) fn recipe(spec: &RecipeSpec) -> Result<(), String> {
    word("name", &spec.name, LOWER, "-.")?;
    kind(spec)?;
    let packages_are_here = spec.kind == ImageKind::Debian;
    tree(
        &spec.suite,
        &spec.variant,
        &spec.mirrors,
        &spec.apt_options,
        packages_are_here,
        &spec.packages,
    )?;
    words("exclude", &spec.excludes, WORD, PATTERN)?;
    words("module", &spec.modules, WORD, "-")?;
    for argument in &spec.cmdline {
        if argument.is_empty()
            || argument
                .chars()
                .any(|c| c.is_whitespace() || c.is_control())
        {
            return Err(format!(
                "command line word '{argument}' is empty or has white space"
            ));
        }
    }
    for (kind, units) in [
        ("enable", &spec.units.enable),
        ("disable", &spec.units.disable),
        ("mask", &spec.units.mask),
    ] {
        words(kind, units, WORD, "-.@:\\")?;
    }
    for path in spec.files.keys() {
        let odd = path.as_str().contains(['\n', '\0']) || path.as_str().ends_with('/');
        if odd || !path.is_absolute() || path.components().any(|part| part.as_str() == "..") {
            return Err(format!("file '{path}' is not a plain absolute path"));
        }
    }
    if !(1024..=1024 * 1024).contains(&spec.disk_mib) {
        return Err(format!(
            "disk_mib = {} is not between 1024 and 1048576",
            spec.disk_mib
        ));
    }
    if !(512..=1024 * 1024).contains(&spec.memory_mib) {
        return Err(format!(
            "memory_mib = {} is not between 512 and 1048576",
            spec.memory_mib
        ));
    }
    if !spec.provision.is_absolute() {
        return Err(format!(
            "provision = '{}' is not an absolute path",
            spec.provision
        ));
    }
    let mut suites = BTreeSet::new();
    for base in &spec.guest_base {
        guest_base(base).map_err(|why| format!("guest base {}: {why}", base.suite))?;
        if !suites.insert(&base.suite) {
            return Err(format!("two guest bases of suite {}", base.suite));
        }
    }
    Ok(())
}

/// What belongs to one kind of host and not to the other.
fn kind(spec: &RecipeSpec) -> Result<(), String> {
    match spec.kind {
        ImageKind::Debian if spec.nixos_modules.is_empty() => Ok(()),
        ImageKind::Debian => Err("nixos_modules are for hosts of kind = \"nixos\"".to_owned()),
        ImageKind::Nixos => {
            if !spec.files.is_empty() || spec.units != Units::default() {
                let why = "files and units of a NixOS host are what its modules make; write a module, for --host-module";
                return Err(why.to_owned());
            }
            if !spec.guest_base.is_empty() {
                return Err("guests of a NixOS host are NixOS: it has no guest_base".to_owned());
            }
            for module in &spec.nixos_modules {
                word("nixos_modules:", module.as_str(), WORD, "-./")?;
                if !module.is_relative() || module.components().any(|part| part.as_str() == "..") {
                    return Err(format!(
                        "nixos_modules: {module} is not below vm-images/nixos"
                    ));
                }
            }
            Ok(())
        }
    }
}

/// Permissions in octal, such as `0644`.
pub(crate) fn mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o7777 => Ok(mode),
        _ => Err(format!(
            "mode '{text}' is not octal permissions such as 0644"
        )),
    }
}

fn guest_base(base: &GuestBaseSpec) -> Result<(), String> {
    tree(
        &base.suite,
        &base.variant,
        &base.mirrors,
        &base.apt_options,
        true,
        &base.packages,
    )?;
    words("exclude", &base.excludes, WORD, PATTERN)?;
    words("keep", &base.keep, WORD, "-.")?;
    words("remove", &base.remove, WORD, PATTERN)?;
    // `remove` is used by the building user's root in a tree: it must not lead out of it.
    for path in &base.remove {
        let leads_out = Utf8Path::new(path)
            .components()
            .any(|part| part.as_str() == "..");
        if path.starts_with('/') || leads_out {
            return Err(format!("remove '{path}' is not relative to the base"));
        }
    }
    word("busybox", base.busybox.as_str(), WORD, "-./")?;
    if !base.busybox.is_absolute() {
        return Err(format!(
            "busybox '{}' is not absolute in the base",
            base.busybox
        ));
    }
    Ok(())
}

fn tree(
    suite: &str,
    variant: &str,
    mirrors: &[String],
    apt_options: &[String],
    some: bool,
    packages: &[String],
) -> Result<(), String> {
    word("suite", suite, LOWER, "-.")?;
    const VARIANTS: &[&str] = &[
        "minbase",
        "apt",
        "essential",
        "important",
        "required",
        "standard",
        "buildd",
    ];
    if !VARIANTS.contains(&variant) {
        return Err(format!(
            "variant '{variant}' is none of {}",
            VARIANTS.join(", ")
        ));
    }
    words("package", packages, LOWER, "-+.")?;
    if some && packages.is_empty() {
        return Err("no packages".to_owned());
    }
    for line in mirrors.iter().chain(apt_options) {
        // A leading dash would be an option of mmdebstrap.
        if line.trim().is_empty() || line.starts_with('-') || line.chars().any(char::is_control) {
            return Err(format!(
                "'{line}' is neither an archive nor a line of apt configuration"
            ));
        }
    }
    Ok(())
}

fn words(kind: &str, words: &[String], letters: &str, others: &str) -> Result<(), String> {
    words
        .iter()
        .try_for_each(|text| word(kind, text, letters, others))
}

fn word(kind: &str, text: &str, letters: &str, others: &str) -> Result<(), String> {
    let fine = !text.is_empty()
        && !text.starts_with('-')
        && text
            .chars()
            .all(|c| letters.contains(c) || others.contains(c));
    // "." and ".." are made of allowed letters and name other folders.
    if fine && text != "." && text != ".." {
        Ok(())
    } else {
        Err(format!(
            "{kind} '{text}' is empty or has a character that does not belong there"
        ))
    }
}
