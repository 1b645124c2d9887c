//! `spawnlab completions`: made of the definitions that the help is made of.

use std::fmt::Write as _;

use clap::{
    Args, Command, ValueEnum,
    builder::{PossibleValue, PossibleValuesParser},
};
use clap_complete::{Shell as Generator, generate};
use spawnlab::run::{selection::Selected, suite::Suite};

use crate::{
    command,
    output::{error::CliError, exit::Exit, print},
};

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// For which shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// The shells that there are completions for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// bash 4 or newer, with or without the package bash-completion
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
}

/// Prints them.
pub(crate) fn completions(args: &CompletionsArgs, suite: &Suite) -> Result<Exit, CliError> {
    print::stdout(&script(args.shell, suite))?;
    Ok(Exit::AsExpected)
}

/// What `shell` reads.
#[must_use]
pub fn script(shell: Shell, suite: &Suite) -> String {
    let generator = match shell {
        Shell::Bash => Generator::Bash,
        Shell::Zsh => Generator::Zsh,
        Shell::Fish => Generator::Fish,
    };
    let mut script = vec![];
    generate(generator, &mut with_names(suite), "spawnlab", &mut script);
    let mut script = String::from_utf8_lossy(&script).into_owned();
    match shell {
        Shell::Bash => script.push_str(COLONS),
        // Its generator leaves out what stands for itself.
        Shell::Fish => script.push_str(&fish_names(suite)),
        Shell::Zsh => {}
    }
    script
}

fn fish_names(suite: &Suite) -> String {
    let mut lines = String::new();
    for (subcommand, all) in filtered(suite) {
        let names = names(&all).join(" ");
        let _ = writeln!(
            lines,
            "complete -c spawnlab -n \"__fish_spawnlab_using_subcommand {subcommand}\" -f -a \"{names}\""
        );
    }
    lines
}

/// The commands that take filters, with what they choose from.
fn filtered(suite: &Suite) -> [(&'static str, Vec<Selected>); 4] {
    [
        ("list", suite.to_run()),
        ("run", suite.to_run()),
        ("prove", suite.to_prove()),
        ("verify", suite.to_run()),
    ]
}

/// Areas and full names of `all`.
fn names(all: &[Selected]) -> Vec<String> {
    let mut names: Vec<String> = vec![];
    for name in all.iter().map(Selected::full_name) {
        let area = name.find("::").map(|at| name[..at + 2].to_owned());
        for name in area.into_iter().chain([name]) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

/// The command line, with the names of all scenarios where filters stand. They are no possible
/// values of the real one: a filter may be a part of a name.
fn with_names(suite: &Suite) -> Command {
    let mut command = command(suite);
    for (subcommand, all) in filtered(suite) {
        let names = names(&all).into_iter().map(PossibleValue::new);
        let names = PossibleValuesParser::new(names);
        command = command.mut_subcommand(subcommand, |subcommand| {
            subcommand.mut_arg("filters", |filters| filters.value_parser(names))
        });
    }
    command
}

/// bash takes a colon for the end of a word, so that it would complete `names::na` as three words.
/// What stands before the last colon is joined to the word, and cut off the answers again.
const COLONS: &str = r#"
_spawnlab_with_colons() {
    local line=${COMP_LINE:0:COMP_POINT} last
    last=${line##*[[:space:]]}
    _spawnlab "$1" "$last" "$3"
    if [[ $last == *:* && $COMP_WORDBREAKS == *:* ]]; then
        local before=${last%"${last##*:}"} at
        for at in "${!COMPREPLY[@]}"; do
            COMPREPLY[at]=${COMPREPLY[at]#"$before"}
        done
    fi
}

complete -F _spawnlab_with_colons -o nosort -o bashdefault -o default spawnlab 2>/dev/null ||
    complete -F _spawnlab_with_colons -o bashdefault -o default spawnlab
"#;
