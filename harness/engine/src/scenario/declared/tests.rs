use proptest::prelude::*;

use super::*;
use crate::scenario::Base;

/// The page that explains the format, and the example on it.
const PAGE: &str = include_str!("../../../../../docs/spawnlab-toml.md");

fn example() -> &'static str {
    let (_, from) = PAGE.split_once("```toml\n").expect("an example");
    from.split_once("```").expect("its end").0
}

fn problem(text: &str) -> Problem {
    parse("spawnlab.toml", text.as_bytes()).expect_err("refused")
}

/// A file whose one scenario has the steps `steps`.
fn with_steps(steps: &str) -> String {
    format!("[[scenario]]\nname = \"a::b\"\nclaim = \"It is so.\"\nstep = [\n  {steps}\n]\n")
}

#[test]
fn the_example_of_the_page_is_sound() {
    let file = parse("spawnlab.toml", example().as_bytes()).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(file.target.deploy.as_ref().map(Vec::len), Some(2));
    assert_eq!(file.scenarios[2].machines[0].base, Base::Host);
    let scenarios = scenarios(file);
    assert_eq!(scenarios[0].full_name(), "page::is_served_by_name");
    assert_eq!(scenarios[1].saboteurs[0].fails, "deploying web-v2 into web");
}

/// What is shown is what runs: the file is run whole with each release, and a scenario of it by ci/test.
#[test]
fn the_example_of_the_page_is_the_file() {
    assert_eq!(
        example(),
        include_str!("../../../../../examples/spawnlab.toml")
    );
}

/// The other examples of the page: parts of a file, and steps by themselves.
fn parts() -> (Vec<&'static str>, Vec<&'static str>) {
    let blocks = PAGE.split("```toml\n").skip(2);
    let blocks = blocks.filter_map(|block| Some(block.split_once("```")?.0));
    let steps = PAGE.lines().filter(|line| line.starts_with("    { "));
    (blocks.collect(), steps.collect())
}

#[test]
fn every_other_example_of_the_page_is_sound() {
    let (blocks, steps) = parts();
    assert_eq!((blocks.len(), steps.len()), (2, 1));
    // What they take from the rest of their file.
    let rest = with_steps("{ succeed = \"true\" },")
        .replace("a::b", "network::container_is_reached_by_name");
    for block in blocks {
        let text = format!("{block}\n{rest}");
        let file = parse("spawnlab.toml", text.as_bytes()).unwrap_or_else(|why| panic!("{why}"));
        assert!(file.scenarios.len() > 1, "{block}");
    }
    for step in steps {
        let text = with_steps(&format!("{step},"));
        parse("spawnlab.toml", text.as_bytes()).unwrap_or_else(|why| panic!("{why}"));
    }
}

/// The page on reports shows what it says when it runs.
#[test]
fn the_example_of_a_failure_is_sound() {
    let text = include_str!("../../../../../examples/refused-lease.toml");
    parse("refused-lease.toml", text.as_bytes()).unwrap_or_else(|why| panic!("{why}"));
}

#[rstest::rstest]
#[case("as = \"")]
#[case("env = { ")]
#[case("flags = [")]
#[case("flake = \"/")]
#[case("to = \"")]
#[case("deploy_fails = \"")]
#[case("status = 1")]
#[case("stderr = { ")]
#[case("put_file = \"")]
#[case("text = \"")]
#[case("from = \"deploys.toml\"")]
#[case("mode = \"")]
#[case("{ steps = \"")]
#[case("case = [")]
#[case("{ deploy = \"{case}\"")]
fn what_the_page_explains_is_in_an_example(#[case] key: &str) {
    let (blocks, steps) = parts();
    let examples = blocks.into_iter().chain(steps).chain([example(), DEPLOYS]);
    assert!(examples.into_iter().any(|example| example.contains(key)));
}

#[rstest::rstest]
#[case("^0$", "0\n", true)]
#[case("^two$", "one\ntwo\nthree\n", true)]
#[case("^0$", "10\n", false)]
fn a_pattern_knows_lines(#[case] pattern: &str, #[case] printed: &str, #[case] holds: bool) {
    assert_eq!(Text::Matches(pattern.into()).holds(printed), holds);
}

#[test]
fn every_verb_of_the_page_is_one() {
    let verbs = PAGE
        .lines()
        .filter(|line| line.starts_with("| `"))
        .flat_map(|line| {
            line.split('|')
                .nth(1)
                .unwrap_or_default()
                .split('`')
                .skip(1)
                .step_by(2)
        });
    let verbs: Vec<&str> = verbs.collect();
    // The page speaks of shared steps by themselves.
    let known = raw::RawStep::VERBS.iter().copied();
    let known: std::collections::BTreeSet<&str> = known.filter(|verb| *verb != "steps").collect();
    assert_eq!(
        verbs
            .iter()
            .copied()
            .collect::<std::collections::BTreeSet<_>>(),
        known
    );
    for verb in verbs {
        let (value, extra) = match verb {
            "wait_for_open_port" => ("80", ""),
            "execute" => ("\"x\"", ", status = 1"),
            "put_file" => ("\"/x\"", ", text = \"y\""),
            "impair" => ("\"host\"", ", with = { loss = 1 }"),
            "cut" | "heal" => ("\"host\"", ""),
            _ => ("\"x\"", ""),
        };
        let machines = "machines = [{ name = \"laptop\" }, { name = \"host\" }]\n";
        let text = with_steps(&format!(
            "{{ {verb} = {value}{extra} }}, {{ succeed = \"true\" }},"
        )) + machines;
        parse("spawnlab.toml", text.as_bytes()).unwrap_or_else(|why| panic!("{why}"));
    }
}

#[test]
fn what_a_step_means() {
    let text = with_steps(
        "{ execute = 'curl http://web', in = \"web\", within = 5, status = 7, stderr = { lacks = \"x\" } },",
    );
    let file = parse("spawnlab.toml", text.as_bytes()).unwrap();
    assert_eq!(
        file.scenarios[0].steps,
        [DeclaredStep {
            called: "`curl http://web in web` should end as expected".into(),
            act: Do::Execute("curl http://web".into()),
            machine: None,
            container: Some("web".into()),
            user: None,
            environment: vec![],
            within: std::time::Duration::from_secs(5),
            expected: ExpectedOutput {
                status: Some(7),
                stdout: vec![],
                stderr: vec![Text::Lacks("x".into())],
            },
        }]
    );
}

#[rstest::rstest]
#[case("a  \n", Text::Equals("a".into()), true)]
#[case("ab", Text::Equals("a".into()), false)]
#[case("ab", Text::Contains("b".into()), true)]
#[case("ab", Text::Lacks("b".into()), false)]
#[case("ab", Text::Matches("^a.$".into()), true)]
#[case("ab", Text::Matches("^b".into()), false)]
fn what_a_text_has_to_be(#[case] seen: &str, #[case] text: Text, #[case] holds: bool) {
    assert_eq!(text.holds(seen), holds, "{}", text.demand());
}

#[rstest::rstest]
#[case("not_toml", "[[scenario]\n")]
#[case("nothing", "")]
#[case("no_scenario", "[target]\nimage = \"trixie\"\n")]
#[case("unknown_table", "[targets]\n")]
#[case("unknown_verb", &with_steps("{ suceed = \"true\" },"))]
#[case("wrong_type", &with_steps("{ wait_for_open_port = \"http\" },"))]
#[case("no_list", "scenario = 5\n")]
#[case("no_table", "target = 5\n")]
#[case("bare_step", &with_steps("\"true\","))]
#[case("bare_output", &with_steps("{ succeed = \"true\", stdout = \"x\" },"))]
#[case("negative", &with_steps("{ succeed = \"true\", within = -1 },"))]
#[case("port_too_large", &with_steps("{ wait_for_open_port = 70000 },"))]
#[case("two_verbs", &with_steps("{ succeed = \"true\", fail = \"false\" },"))]
#[case("no_verb", &with_steps("{ in = \"web\" },"))]
#[case("nothing_asserted", &with_steps("{ execute = \"true\" },"))]
#[case("status_that_is_said", &with_steps("{ succeed = \"true\", status = 1 },"))]
#[case("fails_with_0", &with_steps("{ fail = \"true\", status = 0 },"))]
#[case("output_of_a_wait", &with_steps("{ wait_for_unit = \"x\", stdout = { contains = \"x\" } },"))]
#[case("in_what_has_no_place", &with_steps("{ wait_for_lease = \"web\", in = \"web\" },"))]
#[case("bad_pattern", &with_steps("{ succeed = \"true\", stdout = { matches = '(' } },"))]
#[case("empty_expectation", &with_steps("{ succeed = \"true\", stdout = { } },"))]
#[case("bad_user", &with_steps("{ succeed = \"true\", as = \"root; rm\" },"))]
#[case("user_of_a_wait", &with_steps("{ wait_for_unit = \"x\", as = \"deployer\" },"))]
#[case("bad_variable", &with_steps("{ succeed = \"true\", env = { \"A B\" = \"x\" } },"))]
#[case("flag_that_is_none", &with_steps("{ deploy = \"web\", flags = [\"verbose\"] },"))]
#[case("flags_of_a_script", &with_steps("{ succeed = \"true\", flags = [\"-v\"] },"))]
#[case("destination_that_is_none", &with_steps("{ deploy = \"web\", to = \"-oProxyCommand=x\" },"))]
#[case("deploy_fails_with_0", &with_steps("{ deploy_fails = \"web\", status = 0 },"))]
#[case("file_of_nothing", &with_steps("{ put_file = \"/x\" }, { succeed = \"true\" },"))]
#[case("file_of_two", &with_steps("{ put_file = \"/x\", text = \"a\", from = \"b\" }, { succeed = \"true\" },"))]
#[case("file_nowhere", &with_steps("{ put_file = \"x\", text = \"a\" }, { succeed = \"true\" },"))]
#[case("bad_mode", &with_steps("{ put_file = \"/x\", text = \"a\", mode = \"u+x\" }, { succeed = \"true\" },"))]
#[case("only_files", &with_steps("{ put_file = \"/x\", text = \"a\" },"))]
#[case("unknown_steps", &format!("[steps]\nup = [{{ succeed = \"true\" }}]\n{}", with_steps("{ steps = \"pu\" }, { steps = \"up\" },")))]
#[case("steps_and_more", &format!("[steps]\nup = [{{ succeed = \"true\" }}]\n{}", with_steps("{ steps = \"up\", in = \"web\" },")))]
#[case("steps_in_steps", &format!("[steps]\nup = [{{ steps = \"up\" }}]\n{}", with_steps("{ steps = \"up\" },")))]
#[case("unused_steps", &format!("[steps]\nup = [{{ succeed = \"true\" }}]\n{}", with_steps("{ succeed = \"true\" },")))]
#[case(
    "cases_of_one_name",
    "[[scenario]]\nname = \"a::b\"\nclaim = \"It is so.\"\ncase = [\"x\"]\nstep = [{ succeed = \"true\" }]\n"
)]
#[case(
    "bad_case",
    "[[scenario]]\nname = \"a::{case}\"\nclaim = \"It is so.\"\ncase = [\"x y\"]\nstep = [{ succeed = \"true\" }]\n"
)]
#[case("bad_container", &with_steps("{ succeed = \"true\", in = \"web; rm\" },"))]
#[case(
    "no_claim",
    "[[scenario]]\nname = \"a::b\"\nstep = [{ succeed = \"true\" }]\n"
)]
#[case(
    "bad_name",
    "[[scenario]]\nname = \"page\"\nclaim = \"It is so.\"\nstep = [{ succeed = \"true\" }]\n"
)]
#[case("bad_promise", "[target]\npromises = [\"the-moon\"]\n")]
#[case(
    "bad_limit",
    "[[scenario]]\nname = \"a::b\"\nclaim = \"It is so.\"\nlimit = 0\nstep = [{ succeed = \"true\" }]\n"
)]
#[case("unknown_step_of_a_saboteur", &format!("{}saboteur = [{{ name = \"x\", script = \"y\", fails = \"z\", spares = \"a::c\" }}]\n", with_steps("{ succeed = \"true\" },")))]
#[case("spares_itself", &format!("{}saboteur = [{{ name = \"x\", script = \"y\", fails = \"`true` should succeed\", spares = \"a::b\" }}]\n", with_steps("{ succeed = \"true\" },")))]
#[case("twice", &with_steps("{ succeed = \"true\" },").repeat(2))]
#[case("wide", &with_steps(&format!("{{ succeed = \"{}\", fial = \"x\" }},", "ü".repeat(300))))]
fn what_is_wrong_is_said_with_its_place(#[case] name: &str, #[case] text: &str) {
    insta::assert_snapshot!(format!("problem_{name}"), problem(text));
}

const DEPLOYS: &str = include_str!("../../../../../examples/deploys.toml");

fn deploys() -> File {
    parse("deploys.toml", DEPLOYS.as_bytes()).unwrap_or_else(|why| panic!("{why}"))
}

#[test]
fn cases_and_shared_steps_are_scenarios_and_steps_like_others() {
    let file = deploys();
    let names: Vec<String> = file.scenarios.iter().map(Declared::full_name).collect();
    assert_eq!(
        names,
        [
            "deploys::web_serves_its_page",
            "deploys::web-v2_serves_its_page",
            "deploys::group_member_is_refused",
            "files::belong_to_whom_they_are_for"
        ]
    );
    let second = &file.scenarios[1];
    assert_eq!(
        second.claim,
        "After a deploy of the machine web-v2 its page is served."
    );
    let called: Vec<&str> = second
        .steps
        .iter()
        .map(|step| step.called.as_str())
        .collect();
    assert_eq!(
        called,
        [
            "deploying web-v2 into web",
            "web should hold a lease",
            "the page"
        ]
    );
    assert_eq!(second.saboteurs[0].fails, "deploying web-v2 into web");
}

#[test]
fn a_deploy_is_called_as_the_step_says() {
    let text = with_steps(
        "{ deploy_fails = \"web\", into = \"prod\", flags = [\"-v\"], to = \"a@b\", flake = \"/src\", as = \"alice\", env = { NIX_SSHOPTS = \"-p 22\" } },",
    );
    let file = parse("spawnlab.toml", text.as_bytes()).unwrap_or_else(|why| panic!("{why}"));
    let step = &file.scenarios[0].steps[0];
    assert_eq!(step.called, "deploying web into prod should fail");
    let deploy = super::body::deploy_of(step).expect("it is one");
    insta::assert_snapshot!(deploy.script());
}

/// What a shell makes of the script of a step.
fn shell(script: &str) -> String {
    let output = std::process::Command::new("sh")
        .args(["-c", script])
        .output();
    let output = output.expect("a shell");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn values_reach_a_script_and_files_their_place_as_they_are() {
    let value = "it's \"two\"\n$HOME `x`";
    let mut step = deploys().scenarios.remove(3).steps.remove(1);
    (step.user, step.environment) = (None, vec![("MOOD".into(), value.into())]);
    assert_eq!(shell(&words::script(&step, "printf %s \"$MOOD\"")), value);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a b/it's");
    let path = path.to_str().expect("UTF-8");
    let content = b"\0'\"$x\n";
    shell(&words::put(path, content, "640", None));
    assert_eq!(fs_err::read(path).expect("there"), content);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &fs_err::metadata(path).expect("there").permissions(),
    );
    assert_eq!(mode & 0o7777, 0o640);
    assert_eq!(
        fs_err::read_dir(folder.path().join("a b"))
            .expect("there")
            .count(),
        1
    );
}

#[test]
fn files_beside_the_file_are_read_and_what_is_missing_is_pointed_at() {
    let mut file = deploys();
    let examples = camino::Utf8Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples"));
    read_files(&mut file, examples, ("deploys.toml", DEPLOYS))
        .unwrap_or_else(|why| panic!("{why}"));
    let Do::PutFile { content, .. } = &file.scenarios[3].steps[2].act else {
        panic!("{:?}", file.scenarios[3].steps[2]);
    };
    assert_eq!(*content, Content::Bytes(DEPLOYS.as_bytes().to_vec()));
    let nowhere = camino::Utf8Path::new("/nowhere");
    let why = read_files(&mut deploys(), nowhere, ("deploys.toml", DEPLOYS)).expect_err("missing");
    assert!(why.message.contains("/nowhere/deploys.toml"), "{why}");
    assert!(why.to_string().contains("from = \"deploys.toml\""), "{why}");
}

#[test]
fn what_is_not_utf_8_is_pointed_at() {
    let why = parse("x.toml", b"[target]\nimage = \"\xff\"\n").expect_err("refused");
    assert_eq!((why.line, why.column), (2, 10), "{why}");
}

#[test]
fn what_is_far_too_large_is_not_read() {
    let why = parse("disk.raw", &vec![b'#'; 2 << 20]).expect_err("refused");
    assert!(why.message.contains("2097152 bytes"), "{why}");
}

/// Sound, or a message with a place inside the file.
fn sound_or_said(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Err(why) = parse("spawnlab.toml", bytes) else {
        return Ok(());
    };
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.split('\n').collect();
    prop_assert!((1..=lines.len()).contains(&why.line), "{why}");
    let width = lines[why.line - 1].chars().count();
    prop_assert!((1..=width + 1).contains(&why.column), "{why}");
    prop_assert!(!why.message.is_empty() && !why.hint.is_empty(), "{why}");
    // Nothing of the file steers the terminal.
    prop_assert!(!why.to_string().contains('\u{1b}'), "{why}");
    Ok(())
}

/// One slip: a part that is left out, written twice, moved, or replaced by something else.
fn slip(text: &[u8], at: (usize, usize), kind: u8, with: &[u8]) -> Vec<u8> {
    let from = at.0 % (text.len() + 1);
    let to = (from + at.1 % 40).min(text.len());
    let (head, part, tail) = (&text[..from], &text[from..to], &text[to..]);
    match kind % 4 {
        0 => [head, tail].concat(),
        1 => [head, part, part, tail].concat(),
        2 => [head, with, tail].concat(),
        _ => [tail, part, head].concat(),
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        sound_or_said(&bytes)?;
    }

    #[test]
    fn arbitrary_text_never_panics(text in "(?s).{0,200}") {
        sound_or_said(text.as_bytes())?;
    }

    #[test]
    fn what_looks_like_toml_never_panics(
        text in "((\\[\\[?(scenario|target)\\]?\\]|(name|claim|step|limit|from|deploy|tool|saboteur|needs) = (\"[a-z:]{0,6}\"|[0-9.-]{1,4}|\\[\\{ (succeed|in|status|stdout) = [\"{}a=']{0,6} \\}\\]))\n){0,8}"
    ) {
        sound_or_said(text.as_bytes())?;
    }

    #[test]
    fn a_slip_in_a_sound_file_never_panics(
        slips in proptest::collection::vec(
            (any::<(usize, usize)>(), any::<u8>(), "[\\PC\n\t\"'\\[\\]{}=,.#0-9\u{1b}]{0,6}"), 1..4
        )
    ) {
        let mut bytes = example().as_bytes().to_vec();
        for (at, kind, with) in slips {
            bytes = slip(&bytes, at, kind, with.as_bytes());
        }
        sound_or_said(&bytes)?;
    }
}
