//! Nix command lines, and what Nix prints.

use crate::command::CommandLine;
use crate::names::{Machine, Target};

/// `drv^*` asks for a derivation's outputs since this version; before it, the bare path does.
const CARET_SINCE: Version = Version {
    major: 2,
    minor: 13,
};

const FEATURES: [&str; 2] = ["--extra-experimental-features", "nix-command flakes"];

/// The version of a Nix, as far as its command line depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    pub(crate) major: u32,
    pub(crate) minor: u32,
}

impl Version {
    /// Reads what `nix --version` prints: `nix (Nix) 2.26.3`, or another implementation in the parentheses.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let words = text.split_whitespace().rev();
        words.filter_map(Self::parse_number).next()
    }

    fn parse_number(word: &str) -> Option<Self> {
        let mut parts = word.split(|character: char| !character.is_ascii_digit());
        let major = parts.next()?.parse().ok()?;
        let minor = parts.next()?.parse().ok()?;
        Some(Self { major, minor })
    }
}

/// All outputs of `derivation`.
pub(crate) fn outputs_of(derivation: &str) -> String {
    format!("{derivation}^*")
}

/// Whether a Nix of this version does not know [`outputs_of`], and takes the derivation's path instead.
pub(crate) fn is_old(version: Version) -> bool {
    version < CARET_SINCE
}

/// Flags that `-v` adds to evaluations and builds.
pub(crate) fn verbosity(verbose: bool) -> &'static [&'static str] {
    if verbose { &["--verbose", "-L"] } else { &[] }
}

pub(crate) fn version() -> CommandLine {
    CommandLine::new("nix").arg("--version")
}

/// Prints the path of the derivation of `machine`'s system.
///
/// `nix eval` would print it, too, but evaluates anew each time. This is answered from Nix' evaluation cache where the
/// flake is a git work tree that has been evaluated as it is now.
pub(crate) fn evaluate(machine: &Machine, verbose: bool) -> CommandLine {
    CommandLine::new("nix")
        .args(FEATURES)
        .args(["path-info", "--derivation"])
        .arg(format!(
            ".#nixosConfigurations.\"{machine}\".config.system.build.toplevel"
        ))
        .arg("--show-trace")
        .args(verbosity(verbose).iter().copied())
        // A fetch that wants a password would wait for somebody to type it.
        .env("GIT_TERMINAL_PROMPT", "0")
}

/// `ssh_options` reach the ssh that Nix starts, so that it uses the connection that is there. `daemon` is the path of
/// the program that it starts on the host; empty where its name is enough.
pub(crate) fn copy(
    target: &Target,
    daemon: &str,
    installables: &[String],
    ssh_options: &[String],
) -> CommandLine {
    CommandLine::new("nix")
        .args(FEATURES)
        .args(["copy", "--derivation", "--to"])
        .arg(match daemon {
            "" => target.store(),
            path => format!("{}?remote-program={}", target.store(), in_query(path)),
        })
        .args(installables.iter().cloned())
        .env("NIX_SSHOPTS", ssh_options.join(" "))
}

/// `text` as a value in the query of an address.
fn in_query(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
        encoded
    })
}

/// What a derivation will be when it is built, as far as that is known before.
pub(crate) fn outputs(derivation: &str) -> CommandLine {
    CommandLine::new("nix-store")
        .args(["--query", "--outputs"])
        .arg(derivation)
}

/// The one line that an evaluation prints: the path of a derivation.
pub(crate) fn derivation(printed: &str) -> Result<String, String> {
    let path = printed.trim();
    let fine = |character: char| character.is_ascii_alphanumeric() || "/+-._?=".contains(character);
    if path.starts_with('/') && path.ends_with(".drv") && path.chars().all(fine) {
        Ok(path.to_owned())
    } else {
        Err(format!(
            "nix path-info printed {path:?}, which is no path of a derivation"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("nix (Nix) 2.8.0", Some((2, 8)))]
    #[case("nix (Nix) 2.26.3", Some((2, 26)))]
    #[case("nix (Nix) 2.34pre20260101_abc", Some((2, 34)))]
    #[case("nix (Lix, like Nix) 2.91.1", Some((2, 91)))]
    #[case("nix (Determinate Nix 3.1.0) 2.28.1", Some((2, 28)))]
    #[case("", None)]
    #[case("sh: nix: not found", None)]
    fn versions(#[case] text: &str, #[case] expected: Option<(u32, u32)>) {
        assert_eq!(
            Version::parse(text).map(|version| (version.major, version.minor)),
            expected
        );
    }

    #[rstest]
    #[case("nix (Nix) 2.8.0", true)]
    #[case("nix (Nix) 2.13.0", false)]
    #[case("nix (Lix, like Nix) 2.91.1", false)]
    fn old_versions(#[case] text: &str, #[case] old: bool) {
        assert_eq!(Version::parse(text).map(is_old), Some(old));
    }

    #[test]
    fn command_lines() {
        let machine: Machine = "web.example.org".parse().unwrap();
        let target: Target = "root@host".parse().unwrap();
        insta::assert_snapshot!(evaluate(&machine, false), @r#"GIT_TERMINAL_PROMPT=0 nix --extra-experimental-features 'nix-command flakes' path-info --derivation '.#nixosConfigurations."web.example.org".config.system.build.toplevel' --show-trace"#);
        insta::assert_snapshot!(copy(&target, "", &["/nix/store/a.drv^*".into(), "/nix/store/b.drv^*".into()], &["-o".into(), "ControlPath=/tmp/x/s".into()]), @"NIX_SSHOPTS='-o ControlPath=/tmp/x/s' nix --extra-experimental-features 'nix-command flakes' copy --derivation --to ssh-ng://root@host '/nix/store/a.drv^*' '/nix/store/b.drv^*'");
    }

    /// <https://github.com/NixOS/nix/issues/7508>
    #[test]
    fn a_daemon_that_is_not_found_by_its_name() {
        let target: Target = "root@host".parse().unwrap();
        let shown = copy(&target, "/opt/my nix/bin/nix-daemon", &[], &[]).to_string();
        assert!(
            shown.contains("ssh-ng://root@host?remote-program=/opt/my%20nix/bin/nix-daemon"),
            "{shown}"
        );
    }

    #[rstest]
    #[case("/nix/store/abc-web.drv\n", true)]
    #[case("/nix/store/abc-web", false)]
    #[case("", false)]
    #[case("/nix/store/a b.drv", false)]
    #[case("/nix/store/$(x).drv", false)]
    fn derivations(#[case] printed: &str, #[case] valid: bool) {
        assert_eq!(derivation(printed).is_ok(), valid);
    }
}
