//! The scenarios that the attribute `#[scenario]` declares: each registers itself when its program starts.

use super::{Scenario, ready};
#[doc(hidden)]
pub use crate::verdict::finding::{Expected, FindingKind, HOST};
#[doc(hidden)]
pub use inventory::submit as __submit;

/// A scenario, and where it is declared.
#[derive(Debug)]
pub struct Registered {
    /// The scenario.
    pub scenario: Scenario,
    /// Path of the module.
    pub module: &'static str,
    /// Line and column in the file, and the number of the case.
    pub position: (u32, u32, usize),
}

inventory::collect!(Registered);

/// The scenarios of the crate that `module`, a path as `module_path!()` tells it, is of: by modules in alphabetical
/// order, and those of one module as they stand in its file. [`scenarios!`](crate::scenarios) is what calls this.
#[must_use]
pub fn of_crate(module: &str) -> Vec<&'static Scenario> {
    fn root(module: &str) -> &str {
        module.split("::").next().unwrap_or(module)
    }
    let mut found: Vec<_> = inventory::iter::<Registered>
        .into_iter()
        .filter(|it| root(it.module) == root(module))
        .collect();
    found.sort_by_key(|it| (it.module, it.position));
    found.into_iter().map(|it| &it.scenario).collect()
}

/// All scenarios that this crate declares with `#[scenario]`: a `Vec` of references, by area and in source order.
#[macro_export]
macro_rules! scenarios {
    () => {
        $crate::scenario::registry::of_crate(::core::module_path!())
    };
}

/// The area of the scenarios of `module`: the last part of its path.
#[doc(hidden)]
#[must_use]
pub const fn area(module: &'static str) -> &'static str {
    let bytes = module.as_bytes();
    let mut start = bytes.len();
    while start > 0 && bytes[start - 1] != b':' {
        start -= 1;
    }
    match core::str::from_utf8(bytes.split_at(start).1) {
        Ok(area) => area,
        Err(_) => module,
    }
}

/// Whether the engine itself makes an assertion of this `name`: a finding's, or one of its helpers'.
#[doc(hidden)]
#[must_use]
pub const fn is_assertion_of_the_lab(name: &str) -> bool {
    let mut at = 0;
    while at < FindingKind::ALL.len() {
        if is_same(name, FindingKind::ALL[at].assertion()) {
            return true;
        }
        at += 1;
    }
    is_same(name, ready::ASSERTION)
}

const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("scenarios::areas::names", "names")]
    #[case("hosts", "hosts")]
    fn an_area_is_the_modules_own_name(#[case] module: &'static str, #[case] named: &str) {
        assert_eq!(area(module), named);
    }

    #[rstest::rstest]
    #[case("no failed units", true)]
    #[case("no core dumps", true)]
    #[case("the container settles", true)]
    #[case("no failed unit", false)]
    #[case("the lease", false)]
    fn the_labs_own_assertions_are_known(#[case] name: &str, #[case] known: bool) {
        assert_eq!(is_assertion_of_the_lab(name), known);
    }
}
