//! The name of an image: the hash of everything that its build was told.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;

use super::{
    build::{assemble, initrd, nixos},
    embedded::script,
    nixos::NixosInputs,
    recipe::{FileContent, ImageKind, RecipeSpec},
};
use crate::util::digest;

/// Changes when the builder makes something else of the same recipe.
const BUILDER: &str = "spawnlab image builder 1";

/// 64 hex digits. What the archive has to offer that day is not part of it: `--refresh` is for that.
pub(crate) fn of(
    spec: &RecipeSpec,
    files: &BTreeMap<Utf8PathBuf, FileContent>,
    inputs: Option<&NixosInputs>,
) -> String {
    // Serializing plain structs of strings and numbers cannot fail; should it, the text of the error differs too.
    let json =
        |value: Result<String, serde_json::Error>| value.unwrap_or_else(|error| error.to_string());
    let spec_json = json(serde_json::to_string(spec));
    let file_list: Vec<_> = files.iter().collect();
    let files_json = json(serde_json::to_string(&file_list));
    let script = match spec.kind {
        ImageKind::Debian => assemble::script(spec),
        ImageKind::Nixos => nixos::key(spec, inputs),
    };
    hash([
        BUILDER,
        std::env::consts::ARCH,
        &spec_json,
        &files_json,
        script::RECORD,
        &script,
        initrd::INIT,
    ])
}

/// The digest of all `parts`.
pub(crate) fn hash<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    digest::of(parts.into_iter().map(str::as_bytes))
}
