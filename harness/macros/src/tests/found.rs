//! Assertions of a function, and of the helpers that it calls.

use std::{collections::BTreeSet, fs};

use crate::{assertions::Mentions, sources::PackageFunctions};

fn mentions(body: &str) -> Mentions {
    Mentions::of(body.parse().expect("tokens"))
}

fn names<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

#[test]
fn a_body_asserts_what_it_names() {
    let body = mentions(
        r#"expect("plain").equal(1, 1)?;
           let (a, b) = tokio::join!(one(), async { expect("in a macro").equal(1, 1) });
           value.expect("a message of Option's");
           leased(lab, "handed on").await"#,
    );
    assert_eq!(body.asserted, names(["plain", "in a macro"]));
    assert!(!body.forwards);
    assert_eq!(body.calls["leased"], names(["handed on"]));
    assert!(mentions("expect(assertion).equal(1, 1)").forwards);
}

/// Two files, each with a helper of the same name.
fn package() -> (tempfile::TempDir, PackageFunctions) {
    let root = tempfile::tempdir().expect("a folder");
    let src = root.path().join("src/areas");
    fs::create_dir_all(&src).expect("a folder");
    let here = r#"
        #[scenario(on = Host)]
        async fn it_holds(lab: &Lab) -> Outcome { step(lab, "the first step").await }
        async fn step(lab: &Lab, name: &'static str) -> Outcome {
            expect(name).that(true, 1, 1)?;
            Gate::put(lab).pass()
        }"#;
    let there = r#"
        struct Gate;
        impl Gate { fn pass(self) -> Outcome { expect("the gate").that(true, 1, 1) } }
        fn step() { expect("a step of somebody else's").that(true, 1, 1) }
        fn unrelated() { expect("not reached").that(true, 1, 1) }"#;
    fs::write(src.join("here.rs"), here).expect("written");
    fs::write(root.path().join("src/gate.rs"), there).expect("written");
    fs::write(root.path().join("src/broken.rs"), "fn {").expect("written");
    let sources = PackageFunctions::of(root.path()).expect("read");
    (root, sources)
}

#[test]
fn calls_are_followed_into_the_callers_own_file_first() {
    let (_root, sources) = package();
    let body = mentions(r#"step(lab, "the first step").await"#);
    let found = sources.reachable("it_holds", &body);
    assert_eq!(found, names(["the first step", "the gate"]));
}

#[test]
fn a_helper_that_is_in_no_file_of_the_caller_is_found_elsewhere() {
    let (_root, sources) = package();
    let found = sources.reachable("it_holds", &mentions("unrelated()"));
    assert_eq!(found, names(["not reached"]));
    assert_eq!(
        sources.reachable("it_holds", &mentions("nobody()")),
        names([])
    );
}
