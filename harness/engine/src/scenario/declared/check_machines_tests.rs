use std::time::Duration;

use crate::{
    network::{Direction, Impairment},
    scenario::{
        Base,
        declared::{Declared, Do, File, body, parse, scenarios},
    },
};

const PAGE: &str = include_str!("../../../../../docs/spawnlab-toml.md");
const MACHINES: &str = include_str!("../../../../../examples/machines.toml");

fn machines() -> File {
    parse("machines.toml", MACHINES.as_bytes()).unwrap_or_else(|why| panic!("{why}"))
}

/// A file whose one scenario has `lines` before its steps `steps`.
fn lab(lines: &str, steps: &str) -> String {
    format!(
        "[[scenario]]\nname = \"a::b\"\nclaim = \"It is so.\"\n{lines}\nstep = [\n  {steps}\n]\n"
    )
}

/// The same with two machines.
fn of_two(steps: &str) -> String {
    lab(
        "machines = [{ name = \"laptop\", from = \"host\" }, { name = \"host\" }]",
        steps,
    )
}

/// The same whose one saboteur has `words` beside its names.
fn sabotaged(words: &str) -> String {
    let saboteur = format!(
        "saboteur = [{{ name = \"x\", {words}fails = \"`true` should succeed\", spares = \"a::c\" }}]"
    );
    let other =
        "[[scenario]]\nname = \"a::c\"\nclaim = \"It is so.\"\nstep = [{ succeed = \"true\" }]\n";
    of_two("{ succeed = \"true\" },") + &saboteur + "\n" + other
}

#[test]
fn the_lab_of_the_page_is_one_of_the_example() {
    let shown = PAGE.split("```toml\n").skip(1);
    let mut shown = shown.filter_map(|block| block.split("```").next());
    let lab = shown.find(|block| block.contains("machines = ["));
    assert!(MACHINES.contains(lab.expect("a lab on the page")));
}

#[test]
fn machines_have_their_layers_and_saboteurs_their_machines() {
    let file = machines();
    let names: Vec<String> = file.scenarios.iter().map(Declared::full_name).collect();
    assert_eq!(
        names[..3],
        ["out", "in", "both"].map(|direction| format!(
            "network::{direction}_link_ends_a_deploy_and_a_healed_one_carries_the_next"
        ))
    );
    let scenarios = scenarios(file);
    let of = |at: usize| -> Vec<(&str, Base)> {
        let machines = scenarios[at].machines.iter();
        machines.map(|it| (it.name, it.base)).collect()
    };
    assert_eq!(of(0), [("laptop", Base::Host), ("host", Base::Deployed)]);
    assert_eq!(of(4), [("outside", Base::Host), ("host", Base::Deployed)]);
    assert_eq!(of(5), [("host", Base::Deployed)]);
    assert_eq!(scenarios[0].saboteurs[0].on, "host");
    let cut = &scenarios[3].saboteurs[0];
    assert!(cut.cuts(), "{cut:?}");
    assert_eq!(cut.script(), "");
}

#[test]
fn steps_of_the_network_say_which_frames_and_what_happens_to_them() {
    let file = machines();
    let cut = &file.scenarios[0].steps[0];
    assert_eq!(
        cut.act,
        Do::Cut {
            machine: "host".into(),
            direction: Direction::Out
        }
    );
    assert_eq!(cut.called, "cutting the link of host");
    assert!(!cut.asserts());
    let bad = &file.scenarios[3].steps[0];
    assert_eq!(
        bad.act,
        Do::Impair {
            machine: "laptop".into(),
            direction: Direction::Both,
            with: Impairment {
                loss: 0.05,
                delay: Duration::from_millis(100),
                jitter: Duration::from_millis(10),
                rate: Some(64_000),
                ..Impairment::default()
            }
        }
    );
}

#[rstest::rstest]
#[case::from_another_machine("on = \"laptop\"", "root@host")]
#[case::from_the_host("on = \"host\"", "root@localhost")]
#[case::from_nowhere_else("", "root@localhost")]
#[case::to_where_it_says("on = \"laptop\", to = \"teamdev@host\"", "teamdev@host")]
fn a_deploy_goes_to_the_host_unless_it_says_otherwise(#[case] words: &str, #[case] to: &str) {
    let words = if words.is_empty() {
        String::new()
    } else {
        format!(", {words}")
    };
    let text = of_two(&format!("{{ deploy = \"web\"{words} }},"));
    let file = parse("spawnlab.toml", text.as_bytes()).unwrap_or_else(|why| panic!("{why}"));
    let deploy = body::deploy_of(&file.scenarios[0].steps[0]).expect("it is one");
    let script = deploy.script();
    assert!(script.contains(&format!("'web' '{to}' 'web'")), "{script}");
}

#[test]
fn where_no_machine_is_called_host_the_first_one_is_the_host() {
    let text = lab(
        "machines = [{ name = \"server\" }, { name = \"laptop\", from = \"host\" }]",
        "{ deploy = \"web\", on = \"laptop\" },",
    );
    let file = parse("spawnlab.toml", text.as_bytes()).unwrap_or_else(|why| panic!("{why}"));
    let deploy = body::deploy_of(&file.scenarios[0].steps[0]).expect("it is one");
    assert!(deploy.script().contains("'root@server'"));
}

#[rstest::rstest]
#[case("from_of_a_lab", &lab("from = \"host\"\nmachines = [{ name = \"a\" }, { name = \"b\" }]", "{ succeed = \"true\" },"))]
#[case("one_machine", &lab("machines = [{ name = \"host\" }]", "{ succeed = \"true\" },"))]
#[case("machines_alike", &lab("machines = [{ name = \"a\" }, { name = \"a\" }]", "{ succeed = \"true\" },"))]
#[case("no_host_name", &lab("machines = [{ name = \"my_laptop\" }, { name = \"host\" }]", "{ succeed = \"true\" },"))]
#[case("no_layer", &lab("machines = [{ name = \"a\", from = \"deploy\" }, { name = \"b\" }]", "{ succeed = \"true\" },"))]
#[case("bare_machines", &lab("machines = [\"laptop\", \"host\"]", "{ succeed = \"true\" },"))]
#[case("on_no_machine", &of_two("{ succeed = \"true\", on = \"lapto\" },"))]
#[case("on_without_machines", &lab("", "{ succeed = \"true\", on = \"laptop\" },"))]
#[case("cut_of_nothing", &lab("", "{ cut = \"host\" },"))]
#[case("heals_no_machine", &of_two("{ heal = \"printer\" },"))]
#[case("impaired_by_nothing", &of_two("{ impair = \"host\" },"))]
#[case("impaired_by_no_loss", &of_two("{ impair = \"host\", with = { loss = 0 } },"))]
#[case("loses_too_much", &of_two("{ impair = \"host\", with = { loss = 5 } },"))]
#[case("share_in_words", &of_two("{ impair = \"host\", with = { loss = \"5%\" } },"))]
#[case("bare_delay", &of_two("{ impair = \"host\", with = { delay = \"100\" } },"))]
#[case("delay_of_hours", &of_two("{ impair = \"host\", with = { delay = \"2h\" } },"))]
#[case("rate_in_bytes", &of_two("{ impair = \"host\", with = { rate = \"64kbps\" } },"))]
#[case("rate_of_nothing", &of_two("{ impair = \"host\", with = { rate = \"0mbit\" } },"))]
#[case("rate_too_large", &of_two("{ impair = \"host\", with = { rate = \"99999999999999999999gbit\" } },"))]
#[case("unknown_impairment", &of_two("{ impair = \"host\", with = { losses = 0.1 } },"))]
#[case("unknown_direction", &of_two("{ cut = \"host\", direction = \"inwards\" },"))]
#[case("direction_of_healing", &of_two("{ heal = \"host\", direction = \"in\" },"))]
#[case("direction_of_a_script", &of_two("{ succeed = \"true\", direction = \"in\" },"))]
#[case("impairment_of_a_cut", &of_two("{ cut = \"host\", with = { loss = 0.5 } },"))]
#[case("network_on_a_machine", &of_two("{ cut = \"host\", on = \"laptop\" },"))]
#[case("network_in_a_container", &of_two("{ cut = \"host\", in = \"web\" },"))]
#[case("cut_that_waits", &of_two("{ cut = \"host\", within = 5 },"))]
#[case("only_cuts", &of_two("{ cut = \"host\" },"))]
#[case("saboteur_of_nothing", &sabotaged(""))]
#[case("saboteur_on_no_machine", &sabotaged("script = \"y\", on = \"printer\", "))]
#[case("saboteur_cuts_one", &sabotaged("cut = true, ").replace("machines = ", "case = [] # "))]
fn what_is_wrong_is_said_with_its_place(#[case] name: &str, #[case] text: &str) {
    let why = parse("spawnlab.toml", text.as_bytes()).expect_err("refused");
    insta::assert_snapshot!(format!("problem_{name}"), why);
}
