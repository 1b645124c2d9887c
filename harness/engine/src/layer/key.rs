//! The name of a layer: the hash of everything that led to it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::util::digest;

/// A layer's key, 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key(String);

impl Key {
    /// The key of a layer without a parent, from named parts.
    #[must_use]
    pub fn root<'a>(parts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self::hash(None, parts)
    }

    /// The key of a child of this layer.
    #[must_use]
    pub fn child<'a>(&self, parts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self::hash(Some(self), parts)
    }

    fn hash<'a>(
        parent: Option<&Self>,
        parts: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let parent = parent.map_or("", Self::as_str).as_bytes();
        let parts = parts
            .into_iter()
            .flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
        let mut digest = digest::of([parent].into_iter().chain(parts));
        digest.truncate(32);
        Self(digest)
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 12 digits, for messages.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(Key::root([("a", "bc")]), Key::root([("ab", "c")]));
        assert_ne!(
            Key::root([("a", "b"), ("c", "d")]),
            Key::root([("a", "bcd")])
        );
    }

    proptest! {
        #[test]
        fn every_part_counts(a in ".{0,20}", b in ".{0,20}", c in ".{0,20}") {
            prop_assume!(a != b);
            let parent = Key::root([("image", c.as_str())]);
            prop_assert_ne!(parent.child([("tool", a.as_str())]), parent.child([("tool", b.as_str())]));
        }
    }

    #[test]
    fn the_parent_counts() {
        let one = Key::root([("image", "1")]).child([("tool", "t")]);
        let two = Key::root([("image", "2")]).child([("tool", "t")]);
        assert_ne!(one, two);
        assert_eq!(one.as_str().len(), 32);
    }
}
