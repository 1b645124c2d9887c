//! The recipe's own files, as a tar file that mapped root unpacks.

use std::{fmt::Write as _, os::unix::fs::PermissionsExt as _};

use super::{build_step::BuildStep, plan, workdir::Workdir};
use crate::image::{
    error::{Doing as _, ImageError},
    recipe::{FileContent, Recipe},
};

/// The tar file's name in the work folder.
pub(crate) const TAR: &str = "files.tar";

/// Writes the recipe's files and packs them, owned by root.
pub(crate) fn write(recipe: &Recipe, work: &Workdir) -> Result<(), ImageError> {
    let folder = work.work().join("files");
    std::fs::create_dir(&folder).doing("create", &folder)?;
    let mut names = String::new();
    for (path, content) in &recipe.files {
        let relative = path.as_str().trim_start_matches('/');
        let target = folder.join(relative);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent).doing("create", parent)?;
        }
        match content {
            FileContent::Bytes { mode, bytes } => {
                std::fs::write(&target, bytes).doing("write", &target)?;
                std::fs::set_permissions(&target, std::fs::Permissions::from_mode(*mode))
                    .doing("write", &target)?;
            }
            FileContent::Link(to) => {
                std::os::unix::fs::symlink(to, &target).doing("write", &target)?
            }
        }
        // Only the files are named, so that unpacking leaves the tree's own folders as they are.
        let _ = writeln!(names, "./{relative}");
    }
    let list = work.work().join("files.list");
    std::fs::write(&list, names).doing("write", &list)?;
    BuildStep::new(
        "tar of the recipe's files",
        "tar",
        work.log("files"),
        plan::SHORT_LIMIT,
    )
    .args([
        "--owner=0",
        "--group=0",
        "--no-recursion",
        "--verbatim-files-from",
    ])
    .args([
        "-C",
        folder.as_str(),
        "-cf",
        work.work().join(TAR).as_str(),
        "-T",
        list.as_str(),
    ])
    .stopped_by(work.stop())
    .run()
}
