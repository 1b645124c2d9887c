//! Versions of programs, as far as something depends on them.

/// The numbers that `version` begins with: 257 and 13 of `257.13-1~deb13u1`.
#[must_use]
pub fn numbers(version: &str) -> Vec<u64> {
    let end = version
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(version.len());
    version[..end]
        .split('.')
        .map_while(|number| number.parse().ok())
        .collect()
}

/// Whether `version` is older than the numbers of `since`. One that does not begin with a number is not.
#[must_use]
pub fn is_before(version: &str, since: &[u64]) -> bool {
    let mut found = numbers(version);
    let known = !found.is_empty();
    found.resize(since.len(), 0);
    known && found.as_slice() < since
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("2.8.0-1.1+b1", &[2, 13], true)]
    #[case("2.13", &[2, 13], false)]
    #[case("2.26.3+dfsg-1", &[2, 13], false)]
    #[case("252.39-1~deb12u2", &[252], false)]
    #[case("251", &[252], true)]
    #[case("6.1.0-56-cloud-amd64", &[5, 12], false)]
    #[case("5", &[5, 12], true)]
    #[case("none", &[1], false)]
    fn older_than(#[case] version: &str, #[case] since: &[u64], #[case] older: bool) {
        assert_eq!(is_before(version, since), older);
    }
}
