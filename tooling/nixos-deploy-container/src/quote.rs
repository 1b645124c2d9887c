//! Quoting for a POSIX shell.

/// `text` as one word for `sh`, readable as it is where nothing needs quoting.
pub(crate) fn quote(text: &str) -> String {
    let plain =
        |character: char| character.is_ascii_alphanumeric() || "@%+=:,./_-".contains(character);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quote;
    use rstest::rstest;
    use std::process::Command;

    #[rstest]
    #[case("plain")]
    #[case("")]
    #[case("two words")]
    #[case("it's")]
    #[case("$(touch /tmp/x) `id` \\ \"")]
    #[case("a\nb\n")]
    #[case("-n")]
    #[case("*")]
    #[case("~root")]
    #[case("!!")]
    fn a_shell_gives_back_what_was_quoted(#[case] text: &str) {
        let script = format!("printf '%s.' {}", quote(text));
        let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
        assert_eq!(
            String::from_utf8(output.stdout).unwrap(),
            format!("{text}.")
        );
    }
}
