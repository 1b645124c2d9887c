//! One way to name things by what went into them.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// The SHA-256 of all `parts` as 64 hex digits, each part with its length in front, so that no two
/// lists of parts read alike.
#[must_use]
pub fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hex(&hash.finalize())
}

/// `bytes` in hex digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(of([b"a".as_slice(), b"bc"]), of([b"ab".as_slice(), b"c"]));
        assert_ne!(of([b"a".as_slice()]), of([b"a".as_slice(), b""]));
    }

    #[test]
    fn it_is_sha_256_of_lengths_and_bytes() {
        let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(of([]), nothing);
    }
}
