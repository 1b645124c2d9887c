//! Text that comes from machines, before a person reads it on a terminal.

/// `text` without what would steer a terminal: consoles are full of it.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            // A control sequence ends with its first letter or one of `@`, `~`.
            '\u{1b}' if chars.next_if_eq(&'[').is_some() => {
                while chars.next_if(|c| !matches!(c, '@'..='~')).is_some() {}
                chars.next();
            }
            '\n' | '\t' => clean.push(c),
            c if c.is_control() => {}
            c => clean.push(c),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("plain", "plain")]
    #[case("\u{1b}[0;32mOK\u{1b}[0m done", "OK done")]
    #[case("a\rb\u{8}", "ab")]
    #[case("cut \u{1b}[", "cut ")]
    #[case("bare \u{1b} escape", "bare  escape")]
    #[case("tab\tstays\nline, too", "tab\tstays\nline, too")]
    fn what_would_steer_the_terminal_is_gone(#[case] given: &str, #[case] clean: &str) {
        assert_eq!(printable(given), clean);
    }
}
