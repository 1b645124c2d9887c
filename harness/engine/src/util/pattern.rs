//! Names that a list or a matrix means: written out, or with `*` for anything.

/// Whether `name` is what `pattern` says, where `*` stands for anything.
#[must_use]
pub fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, tail)) => name.strip_prefix(head).is_some_and(|rest| {
            let positions = rest.char_indices().map(|(position, _)| position);
            positions
                .chain([rest.len()])
                .any(|position| matches(tail, &rest[position..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("names::a", "names::a", true)]
    #[case("names::a", "names::ab", false)]
    #[case("names::*", "names::a", true)]
    #[case("*::a", "names::a", true)]
    #[case("*:nixos", "nftables:nixos", true)]
    #[case("*:nixos", "nftables:nixos-2", false)]
    #[case("n*s::*b", "names::aub", true)]
    #[case("*", "", true)]
    #[case("", "a", false)]
    fn patterns(#[case] pattern: &str, #[case] name: &str, #[case] is_meant: bool) {
        assert_eq!(matches(pattern, name), is_meant);
    }
}
