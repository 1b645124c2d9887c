use super::{environment::LabEnvironment, *};
use crate::scenario::Guarantee;

mod page {
    use crate::prelude::*;

    /// A page is there.
    #[scenario(on = Deployed)]
    #[saboteur("gone", fails = "the page", spares = "page::is_short" => "true")]
    async fn is_there(_: &Lab) -> Outcome {
        expect("the page").equal(1, 1)
    }

    /// A page is short.
    #[scenario(on = Host)]
    #[saboteur("long", fails = "its length", spares = "page::is_there" => "true")]
    async fn is_short(_: &Lab) -> Outcome {
        expect("its length").equal(1, 1)
    }
}

const NIX: &str = "../../tooling/nix";
const CONTAINERS_OF_THE_LAB: &str = "../../scenarios/lab/containers.nix";
const GUESTS: &str = "../../vm-images/guests";

fn suite() -> Suite {
    Suite::of(crate::scenarios!())
}

#[test]
fn what_a_suite_lacks_is_said() {
    let half = || suite().declaration(NIX).containers(CONTAINERS_OF_THE_LAB);
    let alone = crate::scenarios!().into_iter().take(1);
    let cases = [
        suite(),
        suite().declaration(NIX),
        half(),
        suite().declaration("nowhere").flake("nowhere, either"),
        half().flake("src"),
        half().containers("no.nix"),
        Suite::of(alone)
            .declaration(NIX)
            .containers(CONTAINERS_OF_THE_LAB)
            .flake(GUESTS),
    ];
    let here = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    let said: Vec<String> = cases
        .iter()
        .map(|suite| {
            suite
                .problem()
                .expect("something is wrong")
                .replace(&here, "HERE")
        })
        .collect();
    insta::assert_snapshot!(said.join("\n"));
    assert_eq!(half().flake(GUESTS).deploy("web", "web").problem(), None);
}

fn environment(variables: &[(&str, &str)]) -> std::result::Result<LabEnvironment, String> {
    LabEnvironment::read(|name| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn the_environment_has_the_options() {
    let plain = environment(&[("SPAWNLAB_TOOL", ""), ("SPAWNLAB_KEEP", "0")]).unwrap();
    assert_eq!(plain, environment(&[]).unwrap());
    assert_eq!(
        plain.again("mine", "hosts", "page::is_there"),
        "cargo test -p mine --test hosts -- --exact page::is_there"
    );
    let given = environment(&[
        ("SPAWNLAB_TOOL", "/bin/sh"),
        ("SPAWNLAB_PROMISES", "idempotent, rolls-back"),
        ("SPAWNLAB_ACCEL", "tcg"),
        ("SPAWNLAB_KEEP", "1"),
    ])
    .unwrap();
    let promises = vec![Guarantee::Idempotent, Guarantee::RollsBack];
    assert_eq!(given.promises, Some(promises));
    assert!(given.keep);
    assert_eq!(
        given.again("mine", "hosts", "page::is_there+gone"),
        "SPAWNLAB_TOOL=/bin/sh SPAWNLAB_PROMISES='idempotent, rolls-back' SPAWNLAB_ACCEL=tcg \
         cargo test -p mine --test hosts -- --exact --ignored page::is_there+gone"
    );
}

#[rstest::rstest]
#[case("SPAWNLAB_TOOL", "/nowhere/tool", "No such file")]
#[case("SPAWNLAB_PROMISES", "to-be-nice", "is none of")]
#[case("SPAWNLAB_ACCEL", "xen", "\"xen\" is none of auto, kvm, tcg")]
fn a_wrong_variable_is_named(#[case] name: &str, #[case] value: &str, #[case] why: &str) {
    let said = environment(&[(name, value)]).unwrap_err();
    assert!(said.starts_with(name) && said.contains(why), "{said}");
}
