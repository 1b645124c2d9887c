//! When a row of known bugs counts: on which versions, and on what.

use std::collections::BTreeMap;

use crate::util::{pattern, version::numbers};

/// One condition: a version that is compared, or a name that is matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KnownCondition {
    Version {
        program: String,
        operator: &'static str,
        version: Vec<u64>,
    },
    Name {
        what: String,
        is: bool,
        pattern: String,
    },
}

const OPERATORS: [&str; 5] = ["<", "<=", ">", ">=", "="];

/// The programs whose versions an image states.
const PROGRAMS: [&str; 4] = ["systemd", "nix", "kernel", "guest-systemd"];

/// What has a name: the image's, the guests' suite, the firewall as `--case` has it, `kvm` or `tcg`.
const NAMES: [&str; 4] = ["image", "guest", "firewall", "accelerator"];

impl KnownCondition {
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let read = match words.as_slice() {
            [program, operator, version] if PROGRAMS.contains(program) => {
                let version = numbers(version);
                let known = OPERATORS.into_iter().find(|known| known == operator);
                known
                    .filter(|_| !version.is_empty())
                    .map(|operator| Self::Version {
                        program: (*program).to_owned(),
                        operator,
                        version,
                    })
            }
            [what, operator @ ("=" | "!="), pattern] if NAMES.contains(what) => Some(Self::Name {
                what: (*what).to_owned(),
                is: *operator == "=",
                pattern: (*pattern).to_owned(),
            }),
            _ => None,
        };
        read.ok_or_else(|| {
            format!(
                "the condition {text:?} can't be read; write PROGRAM OPERATOR VERSION, such as `systemd < 258`, with one of {} and one of {}, or NAME = PATTERN (or !=), such as `firewall = *:nixos`, with one of {}",
                PROGRAMS.join(", "),
                OPERATORS.join(" "),
                NAMES.join(", ")
            )
        })
    }

    /// Whether it holds for `facts`. What is not known of a host decides for no condition.
    ///
    /// Compares as many numbers as the condition states: 257.13 is `= 257`, and not `> 257`.
    pub(super) fn holds(&self, facts: &BTreeMap<String, String>) -> bool {
        match self {
            Self::Version {
                program,
                operator,
                version,
            } => facts.get(program).is_some_and(|text| {
                let mut found = numbers(text);
                if found.is_empty() {
                    return false;
                }
                found.resize(version.len(), 0);
                match *operator {
                    "<" => found < *version,
                    "<=" => found <= *version,
                    ">" => found > *version,
                    ">=" => found >= *version,
                    _ => found == *version,
                }
            }),
            Self::Name { what, is, pattern } => facts
                .get(what)
                .is_some_and(|name| pattern::matches(pattern, name) == *is),
        }
    }
}
