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
    assert_eq!(file.scenarios[2].base, Base::Host);
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
    assert_eq!(verbs.len(), 10, "{verbs:?}");
    for verb in verbs {
        let value = if verb == "wait_for_open_port" {
            "80"
        } else {
            "\"x\""
        };
        let extra = if verb == "execute" {
            ", status = 1"
        } else {
            ""
        };
        let text = with_steps(&format!("{{ {verb} = {value}{extra} }},"));
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
            container: Some("web".into()),
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
