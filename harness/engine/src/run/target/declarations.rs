//! Container declarations of the user's, in place of the lab's own.

use std::{collections::BTreeSet, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    Error,
    verdict::{Outcome, ScenarioError},
    vm::{container::quote, host::Host},
};

/// A file of declarations, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declarations {
    /// Where it was read from.
    pub file: Utf8PathBuf,
    /// What it holds: a part of the key of every layer that has it.
    pub text: String,
}

/// Evaluates both declarations and prints one line for each container: `lab NAME`, `given NAME`.
const EVALUATE: &str = r#"
evaluate() {
    nix --extra-experimental-features nix-command eval --raw --file /lab/nix/portable.nix \
        --argstr declaration "/lab/$2" manifest | sed -n "s/^container \([^ ]*\) .*/$1 \1/p"
}
set -e -o pipefail
evaluate given containers.nix
evaluate lab lab-containers.nix
"#;

impl Declarations {
    /// Reads `file`.
    ///
    /// # Errors
    /// A message for the user.
    pub fn read(file: &Utf8Path) -> Result<Self, String> {
        let text = fs_err::read_to_string(file).map_err(|error| error.to_string())?;
        Ok(Self {
            file: file.to_owned(),
            text,
        })
    }

    /// Evaluates them on `host`, where the lab disk is mounted: the machine that runs the lab may have no Nix.
    ///
    /// # Errors
    /// [`Error::Given`]: they do not evaluate, or lack containers that scenarios need.
    pub(crate) async fn check(&self, host: &Host) -> Outcome {
        let output = host
            .execute_with(
                &format!("bash -c {}", quote(EVALUATE)),
                b"",
                Duration::from_secs(60),
            )
            .await?;
        let why = if output.status.success() {
            missing(&output.stdout)
        } else {
            Some(format!("it does not evaluate: {}", told(&output.stderr)))
        };
        match why {
            None => Ok(()),
            Some(why) => {
                let error = format!("host={}: {why}", self.file);
                Err(ScenarioError::Infrastructure(Error::Given(error)))
            }
        }
    }
}

/// What is wrong with what [`EVALUATE`] printed, if anything is.
fn missing(printed: &str) -> Option<String> {
    let names = |kind: &str| -> BTreeSet<&str> {
        printed
            .lines()
            .filter_map(|line| line.strip_prefix(kind)?.strip_prefix(' '))
            .collect()
    };
    let (given, lab) = (names("given"), names("lab"));
    let missing: Vec<&str> = lab.difference(&given).copied().collect();
    (!missing.is_empty()).then(|| {
        format!(
            "it does not declare {}, which scenarios deploy to; begin with the lab's own declarations: import ./lab-containers.nix // {{ ... }}",
            missing.join(", ")
        )
    })
}

/// The words of Nix without its warnings and blank lines, the last of them: there the error stands.
fn told(stderr: &str) -> String {
    let lines: Vec<&str> = stderr
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("warning:"))
        .collect();
    let from = lines
        .iter()
        .rposition(|line| line.starts_with("error:"))
        .unwrap_or(lines.len().saturating_sub(4));
    lines[from..].join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_containers_of_the_lab_have_to_be_there() {
        assert_eq!(missing("given web\ngiven more\nlab web\n"), None);
        let why = missing("given web\nlab web\nlab bare\nlab prod\n").expect("two are missing");
        assert!(why.contains("bare, prod"), "{why}");
        assert!(why.contains("lab-containers.nix"), "{why}");
    }

    #[test]
    fn of_what_nix_says_the_error_is_told() {
        let stderr = "warning: old\n\nerror:\n  … while calling\n\nerror: syntax error, unexpected end of file\n  at /lab/containers.nix:3:1:\n";
        assert_eq!(
            told(stderr),
            "error: syntax error, unexpected end of file at /lab/containers.nix:3:1:"
        );
        assert_eq!(told("nix: not found\n"), "nix: not found");
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let why = Declarations::read("/nowhere/host.nix".into()).expect_err("not there");
        assert!(why.contains("/nowhere/host.nix"), "{why}");
    }
}
