//! What the services make of `action.yml` and `templates/lab.yml` before a shell sees it.

use std::fs;

use yaml_rust2::{Yaml, YamlLoader};

use crate::machine::{Script, repository};

/// The documents of a YAML file of the repository.
fn documents(file: &str) -> Vec<Yaml> {
    let text = fs::read_to_string(repository().join(file)).expect("readable");
    YamlLoader::load_from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn declared(file: &str) -> Yaml {
    let first = &documents(file)[0];
    match file {
        "action.yml" => first["inputs"].clone(),
        _ => first["spec"]["inputs"].clone(),
    }
}

/// The names of the inputs of `file`.
pub(crate) fn inputs_of(file: &str) -> Vec<String> {
    let inputs = declared(file);
    let names = inputs.as_hash().expect("inputs").keys();
    names
        .map(|name| name.as_str().expect("a name").to_owned())
        .collect()
}

/// The value of the input `name` where the user gave `given`.
fn value(file: &str, name: &str, given: &[(&str, &str)]) -> String {
    let inputs = declared(file);
    assert!(!inputs[name].is_badvalue(), "{file} has no input {name}");
    let found = given.iter().find(|(key, _)| {
        // Inputs of GitLab are words with underscores.
        key.replace('-', "_") == name.replace('-', "_")
    });
    match found {
        Some((_, value)) => (*value).to_owned(),
        None => inputs[name]["default"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
    }
}

/// `text` with each expression `open inputs.NAME close` as what it stands for. Other expressions are left out.
fn filled(file: &str, text: &str, (open, close): (&str, &str), given: &[(&str, &str)]) -> String {
    let mut parts = text.split(open);
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (expression, rest) = part.split_once(close).expect("a closed expression");
        if let Some(name) = expression.trim().strip_prefix("inputs.") {
            if !name.contains(' ') {
                filled.push_str(&value(file, name, given));
            }
        }
        filled.push_str(rest);
    }
    filled
}

/// The step of the action that calls the lab, with these inputs.
pub(crate) fn action(given: &[(&str, &str)]) -> Script {
    let file = "action.yml";
    let action = &documents(file)[0];
    let steps = action["runs"]["steps"].as_vec().expect("steps");
    let mut calling = steps.iter().filter(|step| !step["env"].is_badvalue());
    let step = calling.next().expect("a step with an environment");
    assert!(calling.next().is_none(), "several steps call the lab");
    let text = step["run"].as_str().expect("a script");
    assert!(!text.contains("${{"), "an expression in a script: {text}");
    let variables = step["env"].as_hash().expect("variables").iter();
    let fill = |value: &Yaml| {
        let text = value.as_str().expect("a text");
        filled(file, text, ("${{", "}}"), given)
    };
    Script {
        name: file.into(),
        text: text.into(),
        variables: variables
            .map(|(name, value)| (name.as_str().expect("a name").into(), fill(value)))
            // Who comments says so in the test.
            .filter(|(name, _): &(String, _)| name != "SPAWNLAB_COMMENT_TOKEN")
            .collect(),
    }
}

/// The line of the component's job that calls the lab, with these inputs.
pub(crate) fn component(given: &[(&str, &str)]) -> Script {
    let file = "templates/lab.yml";
    let given = [&[("project", "a/spawnlab")], given].concat();
    let documents = documents(file);
    let (_, job) = documents[1]
        .as_hash()
        .expect("jobs")
        .iter()
        .next()
        .expect("a job");
    let lines = job["script"].as_vec().expect("a script").iter();
    let mut calling = lines
        .filter_map(Yaml::as_str)
        .filter(|line| line.contains("ci/step"));
    let line = calling.next().expect("a call");
    assert!(!line.contains("$[["), "an expression in a script: {line}");
    let variables = job["variables"].as_hash().expect("variables").iter();
    let fill = |value: &Yaml| {
        let text = value.as_str().expect("a text");
        filled(file, text, ("$[[", "]]"), &given)
    };
    Script {
        name: file.into(),
        text: line.replace("../spawnlab/", "\"$GITHUB_ACTION_PATH\"/"),
        variables: variables
            .map(|(name, value)| (name.as_str().expect("a name").into(), fill(value)))
            // Of variables of GitLab's own, which nobody fills here.
            .filter(|(_, value): &(_, String)| !value.starts_with('$') || value.starts_with("$("))
            .collect(),
    }
}
