//! Texts for a page.

/// The longest line that is shown, in characters.
const LONGEST: usize = 2000;

/// `text` without what steers a terminal and without what makes a browser show characters in another
/// order than they have; a line that is too long ends with a note.
pub(super) fn clean(text: &str) -> String {
    let printable = crate::util::text::printable(text.trim_end());
    let mut out = String::with_capacity(printable.len());
    for (number, line) in printable.lines().enumerate() {
        if number > 0 {
            out.push('\n');
        }
        let mut length = 0;
        for c in line.chars() {
            length += 1;
            match c {
                _ if length > LONGEST => {}
                '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                    out.extend(c.escape_unicode());
                }
                c => out.push(c),
            }
        }
        if length > LONGEST {
            out += &format!(" … ({} more characters)", length - LONGEST);
        }
    }
    out
}

/// How many bytes `text` takes on a page.
pub(super) fn weight(text: &str) -> usize {
    let escaped = text.bytes().filter(|b| b"<>&\"'/".contains(b)).count();
    text.len() + 5 * escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("plain\n\n", "plain")]
    #[case("\u{1b}[31mred\u{1b}[0m \u{202e}txet", "red \\u{202e}txet")]
    #[case("two\nlines", "two\nlines")]
    fn nothing_steers_the_reader(#[case] given: &str, #[case] shown: &str) {
        assert_eq!(clean(given), shown);
    }

    #[test]
    fn an_endless_line_ends() {
        let shown = clean(&format!("{}\nnext", "ü".repeat(1_000_000)));
        assert!(shown.ends_with(" … (998000 more characters)\nnext"));
        assert!(shown.len() < 5000);
    }
}
