//! The recipes that are part of the program, so that it works from any folder.

use camino::Utf8Path;

use super::{error::ImageError, nixos};

/// The names that [`super::Recipe::embedded`] takes; the first is the default.
pub const EMBEDDED_RECIPES: &[&str] = &[
    "trixie",
    "bookworm",
    "sid",
    "trixie-python",
    "nixos",
    "nixos-nftables",
    "nixos-firewalld",
];

macro_rules! embed {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../../vm-images/debian/", $path)))),*]
    };
}

/// Every file of `vm-images/debian`, by its path there.
const FILES: &[(&str, &str)] = embed![
    "bookworm.toml",
    "build/1-unpack.sh",
    "build/2-host.sh",
    "build/3-guest-base.sh",
    "build/4-disk.sh",
    "build/init",
    "build/modules.sh",
    "build/record.sh",
    "files/agent",
    "files/spawnlab-agent.service",
    "files/uplink.network",
    "sid.toml",
    "trixie-python.toml",
    "trixie.toml",
];

/// The text of the recipe `name`, or why there is none.
pub(crate) fn recipe(name: &str) -> Result<&'static str, String> {
    let known = EMBEDDED_RECIPES.contains(&name);
    let own = || text(&format!("{name}.toml")).or_else(|| nixos::recipe_file(name));
    let text = known.then(own).flatten();
    text.ok_or_else(|| {
        format!(
            "there is no such recipe; known are {}, anything else by the path of its .toml file",
            EMBEDDED_RECIPES.join(", ")
        )
    })
}

/// The content of `path`, for a recipe that names it.
pub(crate) fn file(path: &Utf8Path) -> Result<Vec<u8>, ImageError> {
    let text = text(path.as_str()).ok_or_else(|| ImageError::Recipe {
        origin: path.to_string(),
        why: "it is not part of the program".to_owned(),
    })?;
    Ok(text.as_bytes().to_vec())
}

fn text(path: &str) -> Option<&'static str> {
    FILES
        .iter()
        .find(|(name, _)| *name == path)
        .map(|(_, text)| *text)
}

/// The builder's own scripts, which every recipe shares.
pub(crate) mod script {
    macro_rules! script {
        ($path:literal) => {
            include_str!(concat!("../../../../vm-images/debian/build/", $path))
        };
    }
    pub(crate) const RECORD: &str = script!("record.sh");
    pub(crate) const MODULES: &str = script!("modules.sh");
    pub(crate) const UNPACK: &str = script!("1-unpack.sh");
    pub(crate) const HOST: &str = script!("2-host.sh");
    pub(crate) const GUEST_BASE: &str = script!("3-guest-base.sh");
    pub(crate) const DISK: &str = script!("4-disk.sh");
    pub(crate) const INIT: &str = script!("init");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_embedded() {
        let root = camino::Utf8Path::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../vm-images/debian"
        ));
        let mut found = Vec::new();
        for folder in ["", "build/", "files/"] {
            for entry in root
                .join(folder)
                .read_dir_utf8()
                .expect("the folder is read")
            {
                let entry = entry.expect("an entry");
                if entry.file_type().expect("a type").is_file() {
                    found.push(format!("{folder}{}", entry.file_name()));
                }
            }
        }
        found.sort();
        let embedded: Vec<_> = FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(embedded, found);
    }

    #[test]
    fn every_embedded_recipe_is_one() {
        for name in EMBEDDED_RECIPES {
            super::super::Recipe::embedded(name).expect("a recipe");
        }
    }
}
