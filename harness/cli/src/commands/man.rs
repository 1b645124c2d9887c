//! `spawnlab man`: the manual, made of the definitions that the help is made of.

use camino::Utf8PathBuf;
use clap::{Args, Command};
use clap_mangen::{
    Man,
    roff::{Roff, roman},
};
use spawnlab::run::suite::Suite;

use crate::{
    command,
    output::{error::CliError, exit::Exit, print},
};

/// Arguments of `man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// The command whose page is printed [default: spawnlab itself]
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,
    /// Write all pages into this folder instead
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub dir: Option<Utf8PathBuf>,
}

/// A man page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManPage {
    /// Its name, such as `spawnlab-run`.
    pub name: String,
    /// Its text, in man's macros.
    pub text: String,
}

/// Prints a page, or writes all.
pub(crate) fn man(args: &ManArgs, suite: &Suite) -> Result<Exit, CliError> {
    let pages = pages(suite).map_err(|error| CliError::infrastructure("manual", error))?;
    if let Some(dir) = &args.dir {
        let write =
            |page: &ManPage| fs_err::write(dir.join(format!("{}.1", page.name)), &page.text);
        fs_err::create_dir_all(dir)
            .and_then(|()| pages.iter().try_for_each(write))
            .map_err(|error| {
                CliError::infrastructure("manual", error).hint("--dir takes a folder to write into")
            })?;
        return Ok(Exit::AsExpected);
    }
    let mut words = vec!["spawnlab".to_owned()];
    words.extend_from_slice(&args.command);
    let name = words.join("-");
    let page = pages.iter().find(|page| page.name == name).ok_or_else(|| {
        let why = format!("there is no command `{}`", words.join(" "));
        CliError::usage("manual", why).hint("`spawnlab -h` lists the commands")
    })?;
    print::stdout(&page.text)?;
    Ok(Exit::AsExpected)
}

/// A page for each command, that of `spawnlab` first.
///
/// # Errors
/// Those of writing into memory, which there are none of.
pub fn pages(suite: &Suite) -> std::io::Result<Vec<ManPage>> {
    let mut command = command(suite);
    // Gives the subcommands the full names that stand in their usage.
    command.build();
    let mut pages = vec![];
    add(&command, &mut pages)?;
    Ok(pages)
}

fn add(command: &Command, pages: &mut Vec<ManPage>) -> std::io::Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    let version = format!("spawnlab {}", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone())
        .title(name)
        .section("1")
        .source(version)
        .manual("spawnlab");
    let mut text = vec![];
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    let long = command.get_after_long_help().or(command.get_after_help());
    sections(&long.map(ToString::to_string).unwrap_or_default()).to_writer(&mut text)?;
    pages.push(ManPage {
        name: name.to_owned(),
        text: String::from_utf8_lossy(&text).into_owned(),
    });
    command
        .get_subcommands()
        .filter(|subcommand| !subcommand.is_hide_set())
        .try_for_each(|subcommand| add(subcommand, pages))
}

/// What stands below the options, as it is: `Examples:` heads a section, and what is below it keeps its
/// columns.
fn sections(text: &str) -> Roff {
    let mut roff = Roff::new();
    for part in text.split("\n\n") {
        let (head, rest) = match part.split_once('\n') {
            Some((head, rest)) if head.ends_with(':') => (head, rest),
            _ => ("Notes:", part),
        };
        let head = head.split([':', '(']).next().unwrap_or_default();
        let head = head.trim_end().to_uppercase();
        roff.control("SH", [head.as_str()]).control("nf", []);
        for line in rest.lines() {
            roff.text([roman(line)]);
        }
        roff.control("fi", []);
    }
    roff
}
