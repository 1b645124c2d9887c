//! One step into somebody's CI: `ci/step`, and the action of GitHub and the component of GitLab that call it. They are
//! run with a `spawnlab` in place of the real one that notes its arguments; those have to be what the real one takes.

mod machine;
mod services;

use std::fs;

use clap::Parser;
use machine::Machine;
use rstest::rstest;
use services::{action, component, inputs_of};
use spawnlab_cli::args::Cli;

/// What a user writes below `with:` or `inputs:`, and what the lab is called with.
#[rstest]
#[case::nothing(&[], "run --report spawnlab-report")]
#[case::a_tool(
    &[("tool", "./deploy"), ("promises", "idempotent"), ("filter", "deploy:: lease")],
    "run --report spawnlab-report --promises idempotent --tool ./deploy deploy:: lease"
)]
#[case::a_flake(
    &[("file", "spawnlab.toml"), ("nixpkgs", "../nixpkgs"), ("image", "nixos")],
    "run --report spawnlab-report --image nixos --nixpkgs ../nixpkgs --file spawnlab.toml"
)]
#[case::two_tools(
    &[("tool", "./new"), ("base-tool", "./old"), ("promises", "all"), ("filter", "deploy::\nisolation::")],
    "verify --base tool=./old --change tool=./new --report spawnlab-report --markdown spawnlab-report.md \
     --promises all deploy:: isolation::"
)]
fn both_services_call_the_lab_with_what_the_user_gave(
    #[case] given: &[(&str, &str)],
    #[case] expected: &str,
) {
    let Some(machine) = Machine::ready() else {
        return;
    };
    for script in [action(given), component(given)] {
        let ended = machine.run(&script, &[]);
        assert!(ended.status.success(), "{}: {ended:?}", script.name);
        let words = machine.called_with();
        assert_eq!(words.join(" "), expected, "{}", script.name);
        let words = ["spawnlab".to_owned()].into_iter().chain(words);
        if let Err(error) = Cli::try_parse_from(words) {
            panic!("{}: {error}", script.name);
        }
    }
}

#[test]
fn what_a_user_gives_is_no_script() {
    let Some(machine) = Machine::ready() else {
        return;
    };
    let filter = "$(touch ran) ; touch ran";
    for script in [
        action(&[("filter", filter)]),
        component(&[("filter", filter)]),
    ] {
        machine.run(&script, &[]);
        let words = machine.called_with();
        let filters = &words[3..];
        assert_eq!(filters, ["$(touch", "ran)", ";", "touch", "ran"]);
        assert!(!machine.folder().join("ran").exists());
    }
}

/// An input that nothing reads would be taken, and do nothing.
#[test]
fn every_input_is_read() {
    for file in ["action.yml", "templates/lab.yml"] {
        let text = fs::read_to_string(machine::repository().join(file)).expect("readable");
        let inputs = inputs_of(file);
        assert!(inputs.len() > 8, "{inputs:?}");
        for input in inputs {
            let read = text.contains(&format!(" inputs.{input} "));
            assert!(read, "{file}: {input} is read nowhere");
        }
    }
}

#[rstest]
#[case::as_expected("0", "", 0)]
#[case::fixed_something("0", "does-what-it-claims", 0)]
#[case::without_an_effect("1", "no-effect", 0)]
#[case::broke_something("1", "breaks", 1)]
#[case::the_lab_failed("3", "", 3)]
fn a_comparison_passes_when_nothing_is_broken(
    #[case] lab: &str,
    #[case] word: &str,
    #[case] expected: i32,
) {
    let Some(machine) = Machine::ready() else {
        return;
    };
    let script = action(&[("tool", "./new"), ("base-tool", "./old")]);
    let ended = machine.run(&script, &[("LAB_EXIT", lab), ("LAB_WORD", word)]);
    assert_eq!(ended.status.code(), Some(expected), "{ended:?}");
    let comment = fs::read_to_string(machine.folder().join("spawnlab-report.md"));
    let ends = match expected {
        3 => "The comparison ended before it had a result.\n",
        _ => "# a comparison\n",
    };
    assert_eq!(comment.expect("for a comment"), ends);
}

#[test]
fn a_run_that_fails_fails_the_step_and_is_in_the_summary() {
    let Some(machine) = Machine::ready() else {
        return;
    };
    let summary = machine.folder().join("summary.md");
    let path = summary.to_str().expect("UTF-8");
    let ended = machine.run(
        &action(&[]),
        &[("LAB_EXIT", "1"), ("GITHUB_STEP_SUMMARY", path)],
    );
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert_eq!(
        fs::read_to_string(summary).expect("written"),
        "spawnlab: exit code 1; 10 scenarios, 5 failed, 2 errors\n"
    );
}

/// The comment of an earlier job is replaced, so that a pull request has one and not one for each push.
#[rstest]
#[case::first("[]", "--data", "/repos/o/r/issues/17/comments")]
#[case::again(
    r#"[{"id": 4, "body": "thanks"}, {"id": 5, "body": "<!-- spawnlab -->\nold"}]"#,
    "--request PATCH --data",
    "/repos/o/r/issues/comments/5"
)]
fn the_comparison_is_commented_below_a_pull_request(
    #[case] comments: &str,
    #[case] verb: &str,
    #[case] path: &str,
) {
    let Some(machine) = Machine::ready() else {
        return;
    };
    if !machine.has("jq") {
        // ci/test installs it, and fails where it can't.
        eprintln!("jq is not installed: the comment below a pull request is not checked");
        return;
    }
    machine.fake_curl(comments);
    let script = action(&[("tool", "./new"), ("base-tool", "./old")]);
    let ended = machine.run(
        &script,
        &[
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_API_URL", "http://127.0.0.1:9"),
            ("GITHUB_REPOSITORY", "o/r"),
            ("GITHUB_REF", "refs/pull/17/merge"),
            ("SPAWNLAB_COMMENT_TOKEN", "secret"),
        ],
    );
    assert!(ended.status.success(), "{ended:?}");
    let calls = machine.curl_calls();
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert!(calls[0].ends_with("/repos/o/r/issues/17/comments?per_page=100"));
    assert!(calls[1].contains(verb), "{calls:?}");
    assert!(calls[1].ends_with(path), "{calls:?}");
    assert!(
        calls[1].contains(r"<!-- spawnlab -->\n# a comparison"),
        "{calls:?}"
    );
    let told: Vec<_> = calls
        .iter()
        .filter(|call| call.contains("secret"))
        .collect();
    assert!(
        told.is_empty(),
        "the token is among the arguments: {told:?}"
    );
}

#[test]
fn wrong_options_are_refused_before_anything_is_done() {
    for (words, says) in [
        (vec!["--tol", "x"], "unknown option --tol"),
        (vec!["--tool"], "--tool takes a value"),
        (vec!["--base-tool", "x"], "none is named"),
        (
            vec!["--base-tool", "x", "--tool", "y", "--file", "z"],
            "takes no --file",
        ),
    ] {
        let ended = machine::step(&words);
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{words:?}: {said}");
        assert!(said.contains(says), "{words:?}: {said}");
    }
}
