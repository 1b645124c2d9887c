//! Help, completions and manual of every command: that they are there, fit, and are read by those who
//! have to read them.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use scenarios::suite::suite;
use spawnlab_cli::commands::{
    completions::{Shell, script},
    man::pages,
};

/// The most lines that `-h` may have, 80 columns wide: more than a screen is not read.
const LINES: usize = 40;

/// The words of every command, beginning with none for `spawnlab` itself.
fn commands() -> Vec<Vec<String>> {
    fn add(command: &clap::Command, words: &[String], all: &mut Vec<Vec<String>>) {
        all.push(words.to_vec());
        for subcommand in command.get_subcommands() {
            add(
                subcommand,
                &[words, &[subcommand.get_name().to_owned()]].concat(),
                all,
            );
        }
    }
    let mut all = vec![];
    add(&spawnlab_cli::command(&suite()), &[], &mut all);
    all
}

fn help(words: &[String], flag: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_spawnlab"))
        .env("COLUMNS", "80")
        .args(words)
        .arg(flag)
        .output()
        .expect("it can be started");
    assert_eq!(output.status.code(), Some(0), "{words:?} {flag}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// `text` given to `program`, or nothing where there is no such program.
fn read_by(program: &str, args: &[&str], text: &str) -> Option<Output> {
    let mut child = Command::new(program)
        .args(args)
        .env("MANWIDTH", "80")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let mut input = child.stdin.take().expect("piped");
    let text = text.to_owned();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    // A reader that has seen enough closes its end; what it says of the text counts.
    let _ = writer.join().expect("no panic");
    Some(output)
}

#[test]
fn every_short_help_fits_a_screen_and_shows_how() {
    let all = commands();
    assert!(all.len() > 10, "{all:?}");
    for words in all {
        let text = help(&words, "-h");
        let lines = text.lines().count();
        assert!(lines <= LINES, "{words:?} has {lines} lines:\n{text}");
        assert!(text.contains("Examples:\n  spawnlab "), "{words:?}\n{text}");
        // clap wraps what is too long, which no example survives.
        let (_, examples) = text.split_once("Examples:\n").expect("checked");
        for line in examples.lines() {
            assert!(
                line.starts_with("  spawnlab ") || line.starts_with('`'),
                "{words:?}: wrapped: {line}"
            );
        }
    }
}

#[test]
fn the_long_help_says_at_least_as_much() {
    for words in commands() {
        let (short, long) = (help(&words, "-h"), help(&words, "--help"));
        assert!(
            long.lines().count() >= short.lines().count(),
            "{words:?}\n{long}"
        );
    }
}

#[rstest::rstest]
#[case(Shell::Bash, "bash", &["-n"])]
#[case(Shell::Zsh, "zsh", &["-n"])]
#[case(Shell::Fish, "fish", &["--no-execute"])]
fn shells_read_their_completions(
    #[case] shell: Shell,
    #[case] program: &str,
    #[case] args: &[&str],
) {
    let script = script(shell, &suite());
    assert!(script.contains("completions"), "{script}");
    assert!(
        script.contains("networking::") || script.contains("networking\\:\\:"),
        "no names of scenarios"
    );
    let Some(output) = read_by(program, args, &script) else {
        // bash is what ci/test itself runs in; the others are not everywhere.
        assert_ne!(program, "bash");
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

/// What bash offers at the end of `line`.
fn offered(line: &str) -> Vec<String> {
    // As readline calls it: words are broken at colons, too.
    let ask = format!(
        "{}\nCOMP_WORDBREAKS=$' \\t\\n\"\\'><=;|&(:'\nCOMP_LINE={line:?} COMP_POINT=${{#COMP_LINE}}\n\
         COMP_WORDS=({}) COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
         _spawnlab_with_colons spawnlab \"${{COMP_WORDS[COMP_CWORD]}}\" ''\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
        script(Shell::Bash, &suite()),
        line.replace("::", " :: "),
    );
    let output = read_by("bash", &["-s"], &ask).expect("bash is there");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.is_empty(), "{said}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_options_and_names() {
    assert!(offered("spawnlab ver").contains(&"verify".to_owned()));
    assert!(offered("spawnlab run --ke").contains(&"--keep".to_owned()));
    assert!(offered("spawnlab run netw").contains(&"networking::".to_owned()));
    let behind_colons = offered("spawnlab run networking::lease_c");
    assert_eq!(behind_colons, ["lease_comes_from_the_host"]);
}

#[test]
fn every_command_has_a_page_that_man_reads_without_a_warning() {
    let pages = pages(&suite()).expect("rendered");
    assert_eq!(pages.len(), commands().len());
    for page in pages {
        assert!(
            page.text.contains(".SH EXAMPLES"),
            "{}: no examples",
            page.name
        );
        let Some(output) = read_by("man", &["--warnings", "-l", "-"], &page.text) else {
            return;
        };
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && said.is_empty(),
            "{}: {said}",
            page.name
        );
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(shown.contains("EXAMPLES"), "{}: {shown}", page.name);
    }
}

#[test]
fn all_pages_go_into_a_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("man1");
    let status = Command::new(env!("CARGO_BIN_EXE_spawnlab"))
        .args(["man", "--dir"])
        .arg(&dir)
        .status()
        .expect("it can be started");
    assert!(status.success());
    for page in pages(&suite()).expect("rendered") {
        let text = fs_err::read_to_string(dir.join(format!("{}.1", page.name))).expect("written");
        assert_eq!(text, page.text);
    }
}

#[test]
fn a_page_of_no_command_is_a_mistake_in_the_command_line() {
    let output = Command::new(env!("CARGO_BIN_EXE_spawnlab"))
        .args(["man", "fly"])
        .output()
        .expect("it can be started");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("hint: `spawnlab -h`"), "{said}");
}
