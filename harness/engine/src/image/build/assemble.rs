//! The host's tree put together and made a disk, as (mapped) root.

use std::{fmt::Write as _, fs::File, os::unix::fs::PermissionsExt as _};

use camino::Utf8PathBuf;

use super::{build_step::BuildStep, overlay, plan, preflight::Tools, workdir::Workdir};
use crate::image::{
    embedded::script,
    error::{Doing as _, ImageError},
    recipe::{Recipe, RecipeSpec},
};

/// The disk's file name.
pub(crate) const DISK: &str = "root.raw";

/// Runs the script; afterwards the work folder holds the disk and `export/`.
pub(crate) fn run(recipe: &Recipe, tools: &Tools, work: &Workdir) -> Result<(), ImageError> {
    let disk = DiskFile::create(recipe.spec(), work)?;
    // Root gets mounts and a PID namespace of its own from the helper, too: nothing to undo after a crash.
    tracing::debug!(mode = tools.mode, "assembling");
    BuildStep::new(
        "putting the tree together",
        "mmdebstrap",
        work.log("assemble"),
        plan::DISK_LIMIT,
    )
    .args(["--unshare-helper", "sh", "-c", &script(recipe.spec())])
    .dir(&work.work())
    .stopped_by(work.stop())
    .run()?;
    disk.finish()
}

/// The disk's file, which mapped root writes.
#[derive(Debug)]
pub(crate) struct DiskFile {
    path: Utf8PathBuf,
    file: File,
}

impl DiskFile {
    /// An empty one in its full size.
    pub(crate) fn create(spec: &RecipeSpec, work: &Workdir) -> Result<Self, ImageError> {
        let path = work.work().join(DISK);
        let file = File::create(&path).doing("create", &path)?;
        file.set_len(u64::from(spec.disk_mib) * 1024 * 1024)
            .doing("create", &path)?;
        let disk = Self { path, file };
        // Mapped root is not the owner.
        disk.set_mode(0o666)?;
        Ok(disk)
    }

    /// Nobody but the owner writes it from now on.
    pub(crate) fn finish(self) -> Result<(), ImageError> {
        self.set_mode(0o644)
    }

    fn set_mode(&self, mode: u32) -> Result<(), ImageError> {
        let permissions = std::fs::Permissions::from_mode(mode);
        self.file
            .set_permissions(permissions)
            .doing("create", &self.path)
    }
}

/// The parts of `vm-images/debian/build`, with the recipe's values before each.
pub(crate) fn script(spec: &RecipeSpec) -> String {
    let mut text = String::new();
    part(&mut text, &[], script::MODULES);
    part(&mut text, &[], script::UNPACK);
    part(
        &mut text,
        &[
            ("FILES", overlay::TAR),
            ("ENABLE", &spec.units.enable.join(" ")),
            ("DISABLE", &spec.units.disable.join(" ")),
            ("MASK", &spec.units.mask.join(" ")),
            ("MODULES", &spec.modules.join(" ")),
        ],
        script::HOST,
    );
    for (index, base) in spec.guest_base.iter().enumerate() {
        let name = base.name();
        part(
            &mut text,
            &[
                ("NAME", &name),
                ("SUITE", &base.suite),
                ("TAR", &format!("{name}.tar")),
                ("BUSYBOX", base.busybox.as_str()),
                ("KEEP", &base.keep.join(" ")),
                ("REMOVE", &base.remove.join(" ")),
                ("FIRST", if index == 0 { "yes" } else { "no" }),
            ],
            script::GUEST_BASE,
        );
    }
    part(&mut text, &[("DISK", DISK)], script::DISK);
    text
}

fn part(text: &mut String, variables: &[(&str, &str)], body: &str) {
    for (name, value) in variables {
        // The recipe was checked: no value has a quote in it. Writing into a String cannot fail.
        let _ = writeln!(text, "{name}='{value}'");
    }
    text.push_str(body);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_before_each_part() {
        let recipe = Recipe::parse("test", include_str!("../testdata/small.toml"), &|_| {
            Ok(Vec::new())
        })
        .expect("a recipe");
        let mut text = script(recipe.spec());
        for (name, part) in [
            ("modules", script::MODULES),
            ("1-unpack", script::UNPACK),
            ("2-host", script::HOST),
            ("3-guest-base", script::GUEST_BASE),
            ("4-disk", script::DISK),
        ] {
            text = text.replace(part, &format!("<{name}.sh>\n"));
        }
        insta::assert_snapshot!(text);
    }
}
