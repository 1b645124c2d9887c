//! Which scenarios a command line means.

/// A filter that selects nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unknown {
    /// The filter.
    pub filter: String,
    /// Names that it may have meant, best first.
    pub close: Vec<String>,
}

/// How many names are suggested.
const SUGGESTIONS: usize = 3;

/// The places in `names` that `filters` select, in the order of `names`; all without filters.
///
/// A filter that ends in `::` selects the area of that name; any other, what contains it. With
/// `exact`, a filter is a full name. `area::name` without its saboteur stands for all its saboteurs.
///
/// # Errors
/// The first filter that selects nothing: a part of the answer would look like the whole.
pub(crate) fn select(
    names: &[String],
    filters: &[String],
    exact: bool,
) -> Result<Vec<usize>, Unknown> {
    let hits = |filter: &str, name: &str| match filter {
        _ if exact => name == filter || name.split('+').next() == Some(filter),
        _ if filter.ends_with("::") => name.starts_with(filter),
        _ => name.contains(filter),
    };
    for filter in filters {
        if !names.iter().any(|name| hits(filter, name)) {
            return Err(Unknown {
                filter: filter.clone(),
                close: close(names, filter),
            });
        }
    }
    let is_selected =
        |name: &String| filters.is_empty() || filters.iter().any(|filter| hits(filter, name));
    Ok((0..names.len())
        .filter(|index| is_selected(&names[*index]))
        .collect())
}

/// The names nearest to `filter`, if any is near.
fn close(names: &[String], filter: &str) -> Vec<String> {
    let mut candidates: Vec<&str> = vec![];
    for name in names {
        let name = name.split('+').next().unwrap_or(name);
        let area = name.find("::").map_or(name, |at| &name[..at + 2]);
        for candidate in [area, name] {
            if !candidates.contains(&candidate) {
                candidates.push(candidate);
            }
        }
    }
    let mut near: Vec<(f64, &str)> = candidates
        .into_iter()
        .map(|candidate| (likeness(candidate, filter), candidate))
        .filter(|(likeness, _)| *likeness > 0.7)
        .collect();
    near.sort_by(|one, other| other.0.total_cmp(&one.0));
    near.into_iter()
        .take(SUGGESTIONS)
        .map(|(_, name)| name.to_owned())
        .collect()
}

/// From 0 to 1. People type parts of names, so the part behind the area counts by itself, too.
fn likeness(name: &str, filter: &str) -> f64 {
    let short = name.split_once("::").map_or(
        name,
        |(area, rest)| if rest.is_empty() { area } else { rest },
    );
    let whole = strsim::jaro_winkler(name, filter);
    whole.max(strsim::jaro_winkler(short, filter.trim_end_matches(':')))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 5] = [
        "networking::lease",
        "networking::lease_again",
        "names::resolves",
        "names::resolves_again",
        "journal::names",
    ];

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[rstest::rstest]
    #[case(&[], false, &[0, 1, 2, 3, 4])]
    #[case(&["names::"], false, &[2, 3])]
    #[case(&["names"], false, &[2, 3, 4])]
    #[case(&["again"], false, &[1, 3])]
    #[case(&["journal::", "lease"], false, &[0, 1, 4])]
    #[case(&["networking::lease"], false, &[0, 1])]
    #[case(&["networking::lease"], true, &[0])]
    #[case(&["names::resolves", "networking::lease"], true, &[0, 2])]
    fn selects(#[case] filters: &[&str], #[case] exact: bool, #[case] expected: &[usize]) {
        let selected = select(&owned(&NAMES), &owned(filters), exact);
        assert_eq!(selected, Ok(expected.to_vec()));
    }

    #[rstest::rstest]
    #[case(&["leese"], false, "leese", "networking::lease")]
    #[case(&["lease", "jurnal::"], false, "jurnal::", "journal::")]
    #[case(&["names::resolve"], true, "names::resolve", "names::resolves")]
    #[case(&["name::"], false, "name::", "names::")]
    fn suggests(
        #[case] filters: &[&str],
        #[case] exact: bool,
        #[case] filter: &str,
        #[case] best: &str,
    ) {
        let unknown = select(&owned(&NAMES), &owned(filters), exact).expect_err("selects nothing");
        assert_eq!(unknown.filter, filter);
        assert_eq!(
            unknown.close.first().map(String::as_str),
            Some(best),
            "{unknown:?}"
        );
    }

    #[test]
    fn nothing_is_suggested_for_what_is_like_nothing() {
        let unknown = select(&owned(&NAMES), &owned(&["xyzzy"]), false).expect_err("nothing");
        assert_eq!(unknown.close, Vec::<String>::new());
    }

    #[test]
    fn a_scenario_stands_for_its_saboteurs() {
        let names = owned(&["a::b+one", "a::b+two", "a::bc+one"]);
        assert_eq!(select(&names, &owned(&["a::b"]), true), Ok(vec![0, 1]));
        assert_eq!(select(&names, &owned(&["a::b+two"]), true), Ok(vec![1]));
        assert_eq!(select(&names, &owned(&["+one"]), false), Ok(vec![0, 2]));
    }
}
