//! Scenarios listed and selected, helps, known bugs, pages of reports.

use assert_cmd::Command;

use crate::command::{spawnlab, stderr, stdout};

fn names() -> Vec<String> {
    let output = spawnlab(&["list", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let listed: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let listed = listed.as_array().expect("an array");
    let name = |scenario: &serde_json::Value| scenario["name"].as_str().expect("a name").to_owned();
    listed.iter().map(name).collect()
}

#[test]
fn a_page_is_made_of_a_runs_folder_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().to_str().expect("UTF-8");
    let output = spawnlab(&["report", "html", dir]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(
        said.contains("run.json") && said.contains("takes the folder of a run"),
        "{said}"
    );
    let run = r#"{"version":1,"started":"2026-03-09T10:00:00Z","selected":1,"environment":null,"steps":[],"records":[],"summary":null}"#;
    std::fs::write(folder.path().join("run.json"), run).expect("written");
    let output = spawnlab(&["report", "html", dir]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), format!("{dir}/report.html\n"));
    let page = std::fs::read_to_string(folder.path().join("report.html")).expect("a page");
    assert!(page.contains("not finished: 0 of 1 scenarios ended"));
}

#[rstest::rstest]
#[case("spawnlab", &["--help"])]
#[case("run", &["run", "--help"])]
#[case("verify", &["verify", "--help"])]
#[case("shell", &["shell", "--help"])]
#[case("image", &["image", "build", "--help"])]
#[case("report_html", &["report", "html", "--help"])]
fn help_says_what_there_is(#[case] name: &str, #[case] args: &[&str]) {
    let output = spawnlab(args);
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!(format!("help_{name}"), stdout(&output));
}

#[test]
fn what_was_never_kept_is_not_explained() {
    let output = spawnlab(&["explain", "web", "--kept", "latest/names::no_such/host"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    let message =
        "error: --kept: latest/names::no_such/host is neither an evidence folder nor a scenario";
    assert!(said.starts_with(message), "{said}");
    assert!(
        said.contains("\nhint: `spawnlab resume` alone lists"),
        "{said}"
    );
}

#[test]
fn every_listed_scenario_has_a_claim_and_a_saboteur() {
    let output = spawnlab(&["list", "--json"]);
    let listed: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let listed = listed.as_array().expect("an array");
    assert!(!listed.is_empty());
    for scenario in listed {
        assert!(
            scenario["claim"]
                .as_str()
                .is_some_and(|claim| !claim.is_empty()),
            "{scenario}"
        );
        let saboteurs = scenario["saboteurs"].as_array().expect("an array");
        assert!(!saboteurs.is_empty(), "{scenario}");
        assert!(saboteurs[0]["fails"].is_string(), "{scenario}");
    }
}

#[test]
fn the_plain_list_has_the_same_names() {
    let output = spawnlab(&["list"]);
    let text = stdout(&output);
    let plain: Vec<&str> = text.lines().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(plain, names());
}

#[test]
fn filters_narrow_the_list() {
    let names = names();
    let first = &names[0];
    let area = first.split("::").next().expect("an area").to_owned() + "::";
    let listed = |args: &[&str]| {
        let text = stdout(&spawnlab(args));
        let lines = text.lines().filter(|line| !line.starts_with(' '));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(listed(&["list", "--exact", first]).join(" "), *first);
    let of_area: Vec<_> = names
        .iter()
        .filter(|name| name.starts_with(&area))
        .cloned()
        .collect();
    assert_eq!(listed(&["list", &area]), of_area);
}

/// Named by a part of its name, and not in full, a scenario of soak runs is left out.
#[rstest::rstest]
#[case("run", &["at_connect_leaves"])]
#[case("prove", &["at_connect_leaves"])]
fn what_only_soak_runs_have_is_told(#[case] command: &str, #[case] filters: &[&str]) {
    let listed = stdout(&spawnlab(&[&["list"], filters].concat()));
    assert!(listed.contains("(soak runs only) "), "{listed}");
    let output = spawnlab(&[&[command], filters].concat());
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(4), "{text}");
    assert!(text.contains("part of soak runs only"), "{text}");
}

#[rstest::rstest]
#[case(&["run", "xyzzy"])]
#[case(&["prove", "xyzzy"])]
#[case(&["list", "xyzzy"])]
#[case(&["run", "--exact", "xyzzy"])]
fn an_unknown_filter_selects_nothing(#[case] args: &[&str]) {
    let output = spawnlab(args);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(4), "{text}");
    assert!(text.starts_with("error: filter: "), "{text}");
    assert!(
        text.contains("\"xyzzy\"") && text.contains("\nhint: "),
        "{text}"
    );
    assert!(stdout(&output).is_empty());
}

#[test]
fn a_slip_of_the_finger_is_answered_with_the_name() {
    let name = names().remove(0);
    let slip = name[..name.len() - 1].replacen("::", ":", 1);
    let output = spawnlab(&["run", &slip]);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(4), "{text}");
    assert!(text.contains(&format!("did you mean {name}")), "{text}");
}

#[test]
fn a_tool_that_is_not_there_is_a_mistake_in_the_command_line() {
    let output = spawnlab(&["run", "--tool", "/nonexistent/deploy"]);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(
        text.starts_with("error: tool /nonexistent/deploy: "),
        "{text}"
    );
    assert!(text.contains("\nhint: "), "{text}");
}

#[test]
fn a_folder_of_other_things_is_not_made_a_report() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs_err::write(folder.path().join("thesis.tex"), "mine").expect("written");
    let path = folder.path().to_str().expect("UTF-8");
    let output = spawnlab(&["run", "--report", path]);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("hint: --report"), "{text}");
    let left: Vec<_> = fs_err::read_dir(folder.path()).expect("there").collect();
    assert_eq!(left.len(), 1);
}

#[rstest::rstest]
#[case(&[])]
#[case(&["run", "--jobs", "0"])]
#[case(&["run", "--accel", "xen"])]
#[case(&["run", "--exact"])]
#[case(&["run", "--promises", "the-moon"])]
#[case(&["shell", "upstairs"])]
#[case(&["fly"])]
fn what_is_no_command_line_is_2(#[case] args: &[&str]) {
    let output = spawnlab(args);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(!output.stderr.is_empty());
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_spawnlab"))
        .args(["list", "--json"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it can be started");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(stderr(&output), "");
    assert_eq!(output.status.code(), Some(0));
}

#[rstest::rstest]
#[case(&["--base", "firewall=nixos"], 2, "--change")]
#[case(&["--base", "host=sid.nix", "--change", "guest=trixie"], 2, "host=sid.nix: ")]
#[case(&["--base", "nixpkgs=/src/a", "--change", "nixpkgs=/src/b"], 2, "its hosts are no NixOS")]
#[case(&["--base", "firewall=nixos", "--change", "firewall=nixpkgs-498177-nft"], 2, "nftables:nixpkgs-498177-nft")]
#[case(&["--base", "tool=/nowhere", "--change", "tool=/nowhere"], 2, "--tool takes")]
#[case(&["--base", "firewall=off", "--change", "firewall=nixos", "--json", "/nowhere/x"], 2, "/nowhere/x")]
#[case(&["--base", "firewall=off", "--change", "firewall=nixos", "no-such-scenario"], 4, "no scenario")]
fn verify_refuses_what_it_cannot_compare(
    #[case] args: &[&str],
    #[case] code: i32,
    #[case] part: &str,
) {
    let output = spawnlab(&[&["verify"], args].concat());
    assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
    assert!(stderr(&output).contains(part), "{}", stderr(&output));
}

#[test]
fn an_expired_known_bug_is_told_before_anything_is_started() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("known.toml");
    let row = "[[known]]\nscenarios = \"names::*\"\ntracker = \"https://example.org/1\"\nuntil = \"2000-01-01\"\n";
    std::fs::write(&file, row).expect("written");
    let output = spawnlab(&["run", "--known", file.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(said.contains("expired on 2000-01-01"), "{said}");
    assert!(said.contains("https://example.org/1"), "{said}");
}

#[test]
fn a_cache_of_somebody_else_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // Root may give a folder away; everybody else has one of root's at hand.
    let cache = match std::os::unix::fs::chown(folder.path(), Some(65534), None) {
        Ok(()) => folder.path(),
        Err(_) => std::path::Path::new("/usr/share"),
    };
    for args in [&["run"][..], &["layers"], &["resume"], &["bench"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_spawnlab"))
            .env("SPAWNLAB_CACHE", cache)
            .env("SPAWNLAB_RUNS", folder.path().with_extension("runs"))
            .args(args)
            .output()
            .expect("it can be started");
        let said = stdout(&output) + &stderr(&output);
        assert_eq!(output.status.code(), Some(3), "{said}");
        let path = cache.to_str().expect("UTF-8");
        assert!(
            said.contains(path) && said.contains("user 65534") || said.contains("user 0"),
            "{said}"
        );
        assert!(said.contains("SPAWNLAB_CACHE"), "{said}");
    }
    let _ = std::fs::remove_dir_all(folder.path().with_extension("runs"));
}
