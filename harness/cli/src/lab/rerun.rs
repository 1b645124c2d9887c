//! The command that runs one scenario again, just as it was run.

use crate::args::{AccelArg, LabArgs, Promises};

/// Writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rerun(Vec<String>);

impl Rerun {
    /// For `program` with its first arguments, such as `spawnlab run`, and with what of `lab` is not
    /// the default.
    #[must_use]
    pub fn new(program: &[&str], lab: &LabArgs) -> Self {
        let mut words: Vec<String> = program.iter().map(|word| (*word).to_owned()).collect();
        let mut option = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                words.extend([name.to_owned(), value]);
            }
        };
        option("--tool", lab.tool.as_ref().map(ToString::to_string));
        option("--promises", lab.promises.as_ref().map(Promises::listed));
        option("--image", lab.image.clone());
        let nixos = lab.nixos.with_environment(lab.image.as_deref());
        for (name, value) in nixos.words() {
            option(name, Some(value));
        }
        option("--guest", lab.guest.clone());
        let accel = lab.accel.and_then(AccelArg::unusual);
        option("--accel", accel.map(str::to_owned));
        words.push("--exact".into());
        Self(words)
    }

    /// Its options: all behind the first two words, which are the program and its command.
    #[must_use]
    pub fn options(&self) -> Vec<String> {
        let options = self.0.iter().skip(2).filter(|word| *word != "--exact");
        options.cloned().collect()
    }

    /// For a command whose first words are `words`.
    #[must_use]
    pub fn of(words: Vec<String>) -> Self {
        Self(words).with_exact()
    }

    /// For a command whose first words are `words`, and which takes scenarios behind `option`.
    #[must_use]
    pub fn of_option(words: Vec<String>, option: &str) -> Self {
        let Self(mut words) = Self::of(words);
        words.push(option.to_owned());
        Self(words)
    }

    /// The same with an option more.
    #[must_use]
    pub fn with(self, option: &str, value: String) -> Self {
        let Self(mut words) = self;
        words.retain(|word| word != "--exact");
        words.extend([option.to_owned(), value]);
        Self(words).with_exact()
    }

    fn with_exact(mut self) -> Self {
        self.0.push("--exact".into());
        self
    }

    /// The command for the scenario `name`, as a shell reads it.
    #[must_use]
    pub fn command(&self, name: &str) -> String {
        joined(self.0.iter().map(String::as_str).chain([name]))
    }
}

/// What the user calls this command: `ci/lab` says so, else it is `spawnlab`.
#[must_use]
pub fn program() -> String {
    std::env::var("SPAWNLAB_COMMAND").unwrap_or_else(|_| "spawnlab".into())
}

/// `words` as a shell reads them.
#[must_use]
pub fn joined<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words = words.into_iter().map(quoted);
    words.collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:=,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use spawnlab::scenario::Guarantee;

    use super::*;

    fn lab() -> LabArgs {
        LabArgs {
            tool: None,
            promises: None,
            image: None,
            nixos: Default::default(),
            guest: None,
            accel: None,
            keep: false,
        }
    }

    #[test]
    fn what_is_default_is_not_said() {
        let again = Rerun::new(&["spawnlab", "run"], &lab());
        assert_eq!(
            again.command("names::resolves"),
            "spawnlab run --exact names::resolves"
        );
    }

    #[test]
    fn what_is_not_default_is_said_so_that_a_shell_takes_it() {
        let lab = LabArgs {
            tool: Some("/opt/it's mine/deploy".into()),
            promises: Some(Promises(vec![Guarantee::Idempotent])),
            guest: Some("sid".into()),
            accel: Some(AccelArg::Tcg),
            ..lab()
        };
        assert_eq!(
            Rerun::new(&["ci/lab", "prove"], &lab).command("a::b+c"),
            r"ci/lab prove --tool '/opt/it'\''s mine/deploy' --promises idempotent --guest sid --accel tcg --exact a::b+c"
        );
    }
}
