use camino::Utf8Path;

use super::*;
use crate::image::{EMBEDDED_RECIPES, Recipe};

const SMALL: &str = include_str!("testdata/small.toml");

/// A folder with `small.toml` in `base/`, and `others`.
fn folder(others: &[(&str, &str)]) -> impl Fn(&Utf8Path) -> Result<Vec<u8>, ImageError> {
    let mut files = BTreeMap::from([
        ("base/small.toml".to_owned(), SMALL.to_owned()),
        ("base/files/agent".to_owned(), "the agent".to_owned()),
    ]);
    files.extend(
        others
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned())),
    );
    move |path| {
        let text = files.get(path.as_str()).ok_or_else(|| ImageError::Io {
            action: "read",
            path: path.to_owned(),
            source: std::io::ErrorKind::NotFound.into(),
        })?;
        Ok(text.as_bytes().to_vec())
    }
}

fn recipe(text: &str) -> Result<Recipe, ImageError> {
    Recipe::parse("/recipes/new.toml", text, &folder(&[]))
}

#[test]
fn what_an_extension_does_not_say_is_that_of_its_base() {
    let alone = Recipe::parse("small.toml", SMALL, &|_| Ok(b"the agent".to_vec())).expect("good");
    let same = recipe("extends = \"base/small.toml\"").expect("good");
    assert_eq!(same.spec(), alone.spec());
    assert_eq!(same.files, alone.files);
    assert_eq!(
        same.id(),
        alone.id(),
        "the hash is that of what is said, not of who says it"
    );
}

#[test]
fn tables_are_joined_and_lists_are_replaced() {
    let new = recipe(
        "extends = \"base/small.toml\"\nname = \"new\"\npackages = [\"git\"]\n[units]\nmask = []\n\
         [files.\"/etc/hostname\"]\ntext = \"other\"\n[files.\"/etc/more\"]\ntext = \"more\"",
    )
    .expect("good");
    let spec = new.spec();
    assert_eq!((spec.name.as_str(), spec.disk_mib), ("new", 2048));
    assert_eq!(spec.packages, ["git"]);
    assert_eq!(spec.units.enable, ["systemd-networkd.service"]);
    assert!(spec.units.mask.is_empty());
    let bytes = |path: &str| match new.files.get(Utf8Path::new(path)) {
        Some(FileContent::Bytes { bytes, .. }) => String::from_utf8_lossy(bytes).into_owned(),
        other => format!("{other:?}"),
    };
    assert_eq!(bytes("/etc/hostname"), "other");
    assert_eq!(bytes("/etc/more"), "more");
    assert_eq!(bytes("/usr/lib/lab/agent"), "the agent");
}

#[test]
fn a_base_for_guests_is_of_the_recipes_suite_unless_it_says_otherwise() {
    let mirror = "mirrors = [\"http://archive.example/debian\"]";
    let base =
        "[[guest_base]]\npackages = [\"dash\"]\nbusybox = \"/usr/bin/busybox\"\nkeep = [\"usr\"]";
    let head = "extends = \"base/small.toml\"\nsuite = \"sid\"";
    let own = recipe(&format!("{head}\n{mirror}\n{base}")).expect("good");
    let guest = &own.spec().guest_base[0];
    assert_eq!(guest.name(), "guest-base-sid");
    assert_eq!(guest.mirrors, ["http://archive.example/debian"]);
    assert_eq!(guest.apt_options, own.spec().apt_options);
    let other = recipe(&format!("{head}\n{mirror}\n{base}\nsuite = \"bookworm\"")).expect("good");
    let guest = &other.spec().guest_base[0];
    assert_eq!(guest.name(), "guest-base-bookworm");
    assert!(guest.mirrors.is_empty() && guest.apt_options.is_empty());
}

#[test]
fn refusals_name_the_file_that_is_to_be_mended() {
    let cases: [(&str, &[(&str, &str)]); 8] = [
        ("extends = \"base/small.toml\"\ncolour = \"red\"", &[]),
        (
            "extends = \"base/typo.toml\"",
            &[("base/typo.toml", "name = \"a\"\nsuites = \"sid\"")],
        ),
        (
            "extends = \"base/mode.toml\"",
            &[(
                "base/mode.toml",
                "[files.\"/a\"]\ntext = \"\"\nmode = \"rwx\"",
            )],
        ),
        ("extends = \"base/nowhere.toml\"", &[]),
        ("extends = \"woody\"", &[]),
        ("extends = \"new.toml\"", &[]),
        (
            "extends = \"a.toml\"",
            &[
                ("a.toml", "extends = \"./new.toml\""),
                ("./new.toml", "extends = \"a.toml\""),
            ],
        ),
        ("extends = \"a.toml\"", &[("a.toml", "name = \"a\"")]),
    ];
    let texts: Vec<_> = cases
        .iter()
        .map(|(text, others)| {
            Recipe::parse("/recipes/new.toml", text, &folder(others))
                .expect_err(text)
                .to_string()
        })
        .collect();
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn a_circle_whose_paths_look_different_ends_too() {
    let text = "extends = \"./new.toml\"";
    let error = Recipe::parse("new.toml", text, &|_| Ok(text.as_bytes().to_vec()));
    let error = error.expect_err("refused").to_string();
    assert!(
        error.contains("too many others: new.toml, which extends ./new.toml"),
        "{error}"
    );
}

#[test]
fn a_recipe_of_ones_own_extends_an_embedded_one() {
    let mine = recipe("extends = \"trixie\"\nname = \"mine\"").expect("good");
    let trixie = Recipe::embedded("trixie").expect("good");
    assert_eq!(mine.files, trixie.files);
    assert_ne!(mine.id(), trixie.id());
}

/// What the embedded recipes differ in, key by key: what is not listed is the same.
#[test]
fn the_embedded_recipes_differ_in_what_they_say_themselves() {
    let value = |name: &str| {
        let recipe = Recipe::embedded(name).expect("a recipe");
        serde_json::to_value(recipe.spec()).expect("plain data")
    };
    let mut lines = vec![];
    // Hosts of two kinds have little in common.
    for (first, rest) in EMBEDDED_RECIPES
        .chunk_by(|_, name| *name != "nixos")
        .filter_map(<[_]>::split_first)
    {
        let first = value(first);
        for name in rest {
            let other = value(name);
            for (key, theirs) in other.as_object().expect("an object") {
                if *theirs != first[key] {
                    differences(&format!("{name}: {key}"), &first[key], theirs, &mut lines);
                }
            }
        }
    }
    insta::assert_snapshot!(lines.join("\n"));
}

fn differences(
    key_path: &str,
    before: &serde_json::Value,
    after: &serde_json::Value,
    lines: &mut Vec<String>,
) {
    use serde_json::Value::{Array, Object};
    match (before, after) {
        (Object(before), Object(after)) => {
            let keys: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
            for key in keys {
                let (before, after) = (before.get(key), after.get(key));
                if before != after {
                    let null = serde_json::Value::Null;
                    let (before, after) = (before.unwrap_or(&null), after.unwrap_or(&null));
                    differences(&format!("{key_path}.{key}"), before, after, lines);
                }
            }
        }
        (Array(before), Array(after)) if before.len() == after.len() => {
            for (before, after) in before.iter().zip(after) {
                if before != after {
                    differences(&format!("{key_path}[]"), before, after, lines);
                }
            }
        }
        (Array(before), Array(after)) => {
            for gone in before.iter().filter(|one| !after.contains(one)) {
                lines.push(format!("{key_path}: without {gone}"));
            }
            for new in after.iter().filter(|one| !before.contains(one)) {
                lines.push(format!("{key_path}: with {new}"));
            }
        }
        _ => lines.push(format!("{key_path}: {before} -> {after}")),
    }
}
