//! The workflow files in `ci/` that users copy: they are YAML, their scripts are sound, and what they call
//! is there.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use clap::Parser;
use spawnlab_cli::args::Cli;
use yaml_rust2::{Yaml, YamlLoader};

/// A script of a workflow: which one it is, and its text.
struct Script {
    name: String,
    text: String,
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn workflows() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = ["ci/github", "ci/gitlab"]
        .iter()
        .flat_map(|folder| fs::read_dir(repository().join(folder)).expect("a folder"))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yml"))
        .collect();
    files.extend(["action.yml", "templates/lab.yml"].map(|file| repository().join(file)));
    files.sort();
    assert!(files.len() >= 2, "{files:?}");
    files
}

/// Every `run` of a GitHub workflow, and every `script` of a GitLab job, in the order of the file.
fn scripts() -> Vec<Script> {
    let mut found = vec![];
    for file in workflows() {
        let name = file
            .strip_prefix(repository())
            .expect("below the repository");
        let text = fs::read_to_string(&file).expect("readable");
        let documents = YamlLoader::load_from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", name.display()));
        // The inputs of a component are a document of their own.
        for document in documents {
            collect(&document, &name.display().to_string(), &mut found);
        }
    }
    assert!(!found.is_empty());
    found
}

fn collect(value: &Yaml, name: &str, found: &mut Vec<Script>) {
    match value {
        Yaml::Hash(entries) => {
            for (key, value) in entries {
                let key = key.as_str().unwrap_or_default();
                let name = format!("{name} {key}");
                match (key, value) {
                    ("run", Yaml::String(text)) => found.push(Script {
                        name,
                        text: text.clone(),
                    }),
                    // One shell runs all lines of a job.
                    ("script", Yaml::Array(lines)) => found.push(Script {
                        name,
                        text: lines
                            .iter()
                            .map(|line| line.as_str().expect("a text"))
                            .collect::<Vec<_>>()
                            .join("\n"),
                    }),
                    _ => collect(value, &name, found),
                }
            }
        }
        Yaml::Array(values) => {
            for (at, value) in values.iter().enumerate() {
                collect(value, &format!("{name} {at}"), found);
            }
        }
        _ => {}
    }
}

/// `text` with each `${{ ... }}` of GitHub's, which is replaced before a shell sees it, as a 1.
fn filled(text: &str) -> String {
    let mut parts = text.split("${{");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (_, rest) = part.split_once("}}").expect("a closed expression");
        filled.push('1');
        filled.push_str(rest);
    }
    filled
}

/// The words behind each call of `command` in `text`, up to whatever ends a simple command.
fn calls(text: &str, command: &[&str]) -> Vec<Vec<String>> {
    let mut calls = vec![];
    for line in filled(text).replace("\\\n", " ").lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        for at in 0..words.len() {
            if words[at..].starts_with(command) {
                let end = |word: &&&str| !["|", "||", "&&", ";", ">", "&&"].contains(*word);
                let rest = words[at + command.len()..].iter().take_while(end);
                calls.push(rest.map(|word| word.replace(['"', '\''], "")).collect());
            }
        }
    }
    calls
}

fn is_understood(words: &[String]) -> Result<(), String> {
    let words = ["spawnlab".to_owned()]
        .into_iter()
        .chain(words.iter().cloned());
    Cli::try_parse_from(words)
        .map(drop)
        .map_err(|error| error.to_string())
}

#[test]
fn every_call_of_the_lab_is_one_that_it_understands() {
    let mut seen = 0;
    for script in scripts() {
        for words in calls(&script.text, &["ci/lab"]) {
            seen += 1;
            if let Err(error) = is_understood(&numbered(&words)) {
                panic!("{}: {words:?}: {error}", script.name);
            }
        }
        for words in calls(&script.text, &["ci/step"]) {
            seen += 1;
            if let Err(error) = is_understood(&as_step(&words)) {
                panic!("{}: {words:?}: {error}", script.name);
            }
        }
        for words in calls(&script.text, &["nix", "run", ".#verify", "--"]) {
            seen += 1;
            if let Err(error) = is_understood(&as_verify(&words)) {
                panic!("{}: {words:?}: {error}", script.name);
            }
        }
    }
    assert!(seen >= 4, "only {seen} calls were found");
}

/// Variables that GitLab fills with numbers.
fn numbered(words: &[String]) -> Vec<String> {
    let filled = |word: &String| {
        word.replace("$CI_NODE_INDEX", "1")
            .replace("$CI_NODE_TOTAL", "4")
    };
    words.iter().map(filled).collect()
}

/// What `nix/verify.sh` makes of its arguments.
fn as_verify(words: &[String]) -> Vec<String> {
    let mut arguments = vec!["verify".to_owned()];
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--backend" => assert!(words.next().is_some()),
            "--base" | "--change" => {
                let side = words.next().expect("a value");
                arguments.extend([word.clone(), format!("image={side}")]);
            }
            _ => arguments.push(word.clone()),
        }
    }
    arguments
}

/// What `ci/step` makes of its arguments where it compares two tools.
fn as_step(words: &[String]) -> Vec<String> {
    let mut arguments = vec!["verify".to_owned()];
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let side = match word.as_str() {
            "--base-tool" => "--base",
            "--tool" => "--change",
            // The rest are words of one option.
            "--filter" => continue,
            _ => {
                arguments.push(word.clone());
                continue;
            }
        };
        let tool = words.next().expect("a value");
        arguments.extend([side.to_owned(), format!("tool={tool}")]);
    }
    arguments
}

/// What is given to the action of this repository are inputs that it has.
#[test]
fn inputs_of_the_action_are_those_that_it_has() {
    let load = |file: &Path| {
        let text = fs::read_to_string(file).expect("readable");
        YamlLoader::load_from_str(&text).expect("YAML").remove(0)
    };
    let action = load(&repository().join("action.yml"));
    let mut seen = 0;
    for file in workflows() {
        let workflow = load(&file);
        let jobs = workflow["jobs"].as_hash().into_iter().flatten();
        for step in jobs.flat_map(|(_, job)| job["steps"].as_vec().into_iter().flatten()) {
            if step["uses"].as_str() != Some("./") {
                continue;
            }
            for (name, _) in step["with"].as_hash().expect("inputs") {
                seen += 1;
                let name = name.as_str().expect("a name");
                let known = !action["inputs"][name].is_badvalue();
                assert!(known, "{}: the action has no input {name}", file.display());
            }
        }
    }
    assert!(seen > 0, "nothing uses the action");
}

#[test]
fn a_call_that_is_not_understood_is_found() {
    let text = "ci/lab run --reprot x && true\nx=1 ci/lab nonsense\nci/lab run \\\n --report ${{ a.b }} | cat";
    let calls = calls(text, &["ci/lab"]);
    assert_eq!(
        calls,
        [
            vec!["run", "--reprot", "x"],
            vec!["nonsense"],
            vec!["run", "--report", "1"]
        ]
    );
    assert!(is_understood(&calls[0]).is_err_and(|error| error.contains("--reprot")));
    assert!(is_understood(&calls[1]).is_err());
    assert_eq!(is_understood(&calls[2]), Ok(()));
}

#[test]
fn every_script_that_is_called_is_there() {
    for script in scripts() {
        for word in script.text.split_whitespace() {
            if word.starts_with("ci/") && !word.contains('*') {
                assert!(repository().join(word).is_file(), "{}: {word}", script.name);
            }
        }
    }
}

#[test]
fn scripts_are_sound() {
    if Command::new("shellcheck")
        .arg("--version")
        .output()
        .is_err()
    {
        // ci/test installs it, and fails where it can't.
        eprintln!("shellcheck is not installed: the scripts of the workflows are not checked");
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    for script in scripts() {
        let file = dir.path().join("script");
        fs::write(&file, filled(&script.text)).expect("written");
        let output = Command::new("shellcheck")
            .args(["--shell=bash", "--severity=style"])
            .arg(&file)
            .output()
            .expect("it can be started");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}: {said}", script.name);
    }
}

/// What GitHub's own checks would say only once the file is pushed.
#[test]
fn workflows_of_github_are_bounded_and_ask_for_few_rights() {
    for file in workflows() {
        if !file.components().any(|part| part.as_os_str() == "github") {
            continue;
        }
        let text = fs::read_to_string(&file).expect("readable");
        let workflow = &YamlLoader::load_from_str(&text).expect("YAML")[0];
        let name = file.display();
        assert!(!workflow["on"].is_badvalue(), "{name} has no trigger");
        assert_eq!(
            workflow["permissions"]["contents"].as_str(),
            Some("read"),
            "{name} does not say what it may"
        );
        let jobs = workflow["jobs"].as_hash().expect("jobs");
        for (job, body) in jobs {
            assert!(
                body["timeout-minutes"].as_i64().is_some(),
                "{name}: {job:?} has no limit"
            );
        }
    }
}
