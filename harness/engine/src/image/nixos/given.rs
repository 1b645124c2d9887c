//! Which nixpkgs the user means.

use camino::{Utf8Path, Utf8PathBuf};

use crate::image::ImageError;

/// A tree of nixpkgs, and patches that it gets: `TREE[+FILE.patch]...`, as it is written on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NixpkgsGiven {
    /// The whole text.
    pub text: String,
    /// A path, or what only Nix can make one of.
    pub tree: String,
    /// Files, in the order in which they are applied.
    pub patches: Vec<Utf8PathBuf>,
}

impl NixpkgsGiven {
    /// Takes `text` apart. A path that exists is a tree, whatever is in its name.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut tree = text;
        let mut patches = vec![];
        while !Utf8Path::new(tree).exists() {
            match tree.rsplit_once('+') {
                Some((before, patch)) if is_patch(patch) => {
                    tree = before;
                    patches.insert(0, patch.into());
                }
                _ => break,
            }
        }
        Self {
            text: text.to_owned(),
            tree: tree.to_owned(),
            patches,
        }
    }

    /// The patches as one, each ending with a line's end.
    ///
    /// # Errors
    /// [`ImageError::Nixpkgs`] if one can't be read, or is empty.
    pub(super) fn patch(&self) -> Result<Option<Vec<u8>>, ImageError> {
        let mut all = vec![];
        for patch in &self.patches {
            let wrong = |why: String| self.wrong(format!("the patch {patch} {why}"));
            let bytes =
                std::fs::read(patch).map_err(|error| wrong(format!("can't be read: {error}")))?;
            if bytes.iter().all(u8::is_ascii_whitespace) {
                return Err(wrong("is empty".to_owned()));
            }
            all.extend(&bytes);
            if !all.ends_with(b"\n") {
                all.push(b'\n');
            }
        }
        Ok((!all.is_empty()).then_some(all))
    }

    /// The error that says what is wrong with it.
    #[must_use]
    pub fn wrong(&self, why: impl ToString) -> ImageError {
        ImageError::Nixpkgs {
            given: self.text.clone(),
            why: why.to_string(),
        }
    }
}

fn is_patch(name: &str) -> bool {
    let extension = Utf8Path::new(name).extension();
    matches!(extension, Some("patch" | "diff"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("/src/nixpkgs", "/src/nixpkgs", &[])]
    #[case("/src/nixpkgs+a.patch", "/src/nixpkgs", &["a.patch"])]
    #[case("nixpkgs+/p/a.patch+b.diff", "nixpkgs", &["/p/a.patch", "b.diff"])]
    #[case("git+file:///src/nixpkgs?ref=a", "git+file:///src/nixpkgs?ref=a", &[])]
    #[case("git+file:///src/nixpkgs+a.patch", "git+file:///src/nixpkgs", &["a.patch"])]
    #[case("/src/nixpkgs+more", "/src/nixpkgs+more", &[])]
    fn patches_stand_behind_the_tree(
        #[case] text: &str,
        #[case] tree: &str,
        #[case] patches: &[&str],
    ) {
        let given = NixpkgsGiven::read(text);
        assert_eq!(given.tree, tree);
        assert_eq!(given.patches, patches);
    }

    #[test]
    fn a_folder_that_is_there_is_no_patch() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = Utf8Path::from_path(dir.path())
            .expect("UTF-8")
            .join("a+b.patch");
        std::fs::create_dir(&path).expect("made");
        let given = NixpkgsGiven::read(path.as_str());
        assert_eq!(
            (given.tree.as_str(), given.patches.len()),
            (path.as_str(), 0)
        );
    }
}
