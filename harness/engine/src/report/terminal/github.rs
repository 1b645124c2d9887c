//! Workflow commands of GitHub Actions: groups that fold, and annotations.
//!
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>

use std::hash::{BuildHasher, RandomState};

use crate::util::text::printable;

/// An annotation that shows `message` under `title`.
pub(super) fn error(title: &str, message: &str) -> String {
    format!("::error title={}::{}", property(title), data(message))
}

/// The line that begins a group called `name`.
pub(super) fn group(name: &str) -> String {
    format!("::group::{}", data(name))
}

/// The line that ends a group.
pub(super) const END: &str = "::endgroup::";

/// `text`, in which nothing is taken for a command: consoles and tools print what they like.
pub(super) fn inert(text: String) -> String {
    if !text.lines().any(commands) {
        return text;
    }
    // Nobody who has written the text can know the word that ends it.
    let token = format!("spawnlab-{:016x}", RandomState::new().hash_one(&text));
    format!("::stop-commands::{token}\n{text}\n::{token}::")
}

/// Whether a runner would take `line` for a command, of the one kind or the other.
fn commands(line: &str) -> bool {
    line.trim_start().starts_with("::") || line.contains("##[")
}

fn data(text: &str) -> String {
    printable(text)
        .replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_to_a_runner_is_escaped() {
        assert_eq!(
            error("failed names::a, b", "50 %\nof it\u{1b}[0m: gone"),
            "::error title=failed names%3A%3Aa%2C b::50 %25%0Aof it: gone"
        );
        assert_eq!(group("a\nb"), "::group::a%0Ab");
    }

    #[test]
    fn a_text_gives_no_commands() {
        let said = "seen  x\n   ::set-env name=PATH::/evil".to_owned();
        let inert = inert(said.clone());
        let (head, rest) = inert.split_once('\n').expect("lines");
        let token = head.strip_prefix("::stop-commands::").expect("stopped");
        assert_eq!(rest, format!("{said}\n::{token}::"));
        assert_ne!(
            self::inert(said.clone()),
            self::inert(said),
            "a new word each time"
        );
    }

    #[rstest::rstest]
    #[case("names::resolves passed", true)]
    #[case("a ##[add-path]/evil", false)]
    #[case("::error::x", false)]
    fn what_is_harmless_stays_as_it_is(#[case] text: &str, #[case] harmless: bool) {
        assert_eq!(inert(text.to_owned()) == text, harmless);
    }
}
