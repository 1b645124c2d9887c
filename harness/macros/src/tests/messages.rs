//! The compiler's words for a declaration that is wrong.

use proc_macro2::TokenStream;

use crate::{
    assertions::Mentions,
    declaration::read,
    expand::{misplaced, unknown_assertion},
};

const SABOTEUR: &str = r#"#[saboteur("s", fails = "f", spares = "a::b" => "true")]"#;
const FUNCTION: &str = "async fn it_holds(lab: &Lab) -> Outcome { expect(\"f\").that(true, 1, 1) }";

/// What is wrong with a scenario of these `arguments`, and of `below` between them and the function.
fn wrong(arguments: &str, below: &str, function: &str) -> String {
    let mut function = syn::parse_str(&format!("{below}\n{function}")).expect("a function");
    let arguments: TokenStream = arguments.parse().expect("tokens");
    let error = read(arguments, &mut function).err().expect("refused");
    error.to_string()
}

#[test]
fn each_mistake_has_a_message_that_says_what_to_write() {
    let claimed = format!("/// It holds.\n{SABOTEUR}");
    let arguments = [
        "",
        "on = Deployed on = Host",
        "on = Deployed, on = Host",
        "on = Deployed, limits = 5",
        "on = Deployed, limit = \"90\"",
        "on = Deployed, needs = Idempotent",
        "on = Deployed, cases(one)",
        "on = Deployed, cases(one, two)",
        "on = Deployed, soak, cases(one, soak(two))",
        "on = Deployed, machines(laptop = Host, host = Host)",
        "machines(host = Host)",
        "machines(host = Host, host = Deployed)",
        "machines(lap_top = Host, host = Deployed)",
        "machines(laptop = Host, server = Deployed)",
        "machines(laptop = Host, host = Deployed), disk = Logged",
    ];
    let of_arguments = arguments.map(|it| format!("({it}): {}", wrong(it, &claimed, FUNCTION)));
    insta::assert_snapshot!("wrong_arguments", of_arguments.join("\n"));

    let below = [
        SABOTEUR.to_owned(),
        format!("///\n{SABOTEUR}"),
        "/// It holds.".to_owned(),
        "/// It holds.\n#[saboteur]".to_owned(),
        "/// It holds.\n#[saboteur(fails = \"f\")]".to_owned(),
        "/// It holds.\n#[saboteur(\"s\", fails = \"f\", spares = \"a::b\")]".to_owned(),
        "/// It holds.\n#[saboteur(\"s\", spares = \"a::b\" => \"true\")]".to_owned(),
        "/// It holds.\n#[saboteur(\"s\", fails = \"f\" => \"true\")]".to_owned(),
        "/// It holds.\n#[saboteur(\"s\", fails = \"f\", fails = \"g\" => \"true\")]".to_owned(),
        "/// It holds.\n#[saboteur(\"s\", fails = \"f\", spares = \"a::b\", \"true\")]".to_owned(),
        "/// It holds.\n#[saboteur(\"s\", breaks = \"f\", \"true\")]".to_owned(),
        "/// It holds.\n#[saboteur(\"s\", fails = \"f\", spares = \"a::b\", case = x => \"true\")]"
            .to_owned(),
        "/// It holds.\n#[saboteur(\"s\", fails = \"f\", spares = \"a::b\", on = \"laptop\" => \"true\")]"
            .to_owned(),
        format!("/// It holds.\n{SABOTEUR}\n#[expects(FailedUnit(\"x.service\"))]"),
        format!(
            "/// It holds.\n{SABOTEUR}\n#[expects(FailedUnit(\"x\") in \"web\", reason = \"\")]"
        ),
    ];
    let of_attributes = below.map(|it| {
        let shown = it.replace('\n', " ");
        format!("{shown}: {}", wrong("on = Host", &it, FUNCTION))
    });
    insta::assert_snapshot!("wrong_attributes", of_attributes.join("\n"));

    let functions = [
        "fn it_holds(lab: &Lab) -> Outcome { Ok(()) }",
        "async fn it_holds() -> Outcome { Ok(()) }",
        "async fn it_holds(lab: &Lab, backend: Backend) -> Outcome { Ok(()) }",
        "async fn it_holds<T>(lab: &Lab) -> Outcome { Ok(()) }",
    ];
    let of_functions = functions.map(|it| format!("{it}: {}", wrong("on = Host", &claimed, it)));
    insta::assert_snapshot!("wrong_functions", of_functions.join("\n"));
}

#[test]
fn a_case_without_a_saboteur_is_named() {
    let below = "/// It holds.\n#[saboteur(\"s\", fails = \"f\", spares = \"a::b\", case = one => \"true\")]";
    let function = "async fn it_holds(lab: &Lab, case: &str) -> Outcome { Ok(()) }";
    let said = wrong("on = Host, cases(one, two)", below, function);
    assert!(
        said.starts_with("the case `two` of `it_holds` has no saboteur"),
        "{said}"
    );
}

#[test]
fn a_saboteur_above_the_scenario_is_told_where_it_belongs() {
    let said = misplaced("saboteur", FUNCTION.parse().expect("tokens")).to_string();
    assert!(
        said.contains("#[saboteur(..)] stands below #[scenario(..)]"),
        "{said}"
    );
}

#[test]
fn an_assertion_that_nobody_makes_is_named_with_scenario_and_saboteur() {
    let body = Mentions::of(
        "expect(\"the page\"); expect(\"the lease\")"
            .parse()
            .expect("tokens"),
    );
    let said = unknown_assertion("http_by_name", "server-stopped", "the pages", &body);
    insta::assert_snapshot!("unknown_assertion", said);
}
