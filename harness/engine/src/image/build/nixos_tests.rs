use super::*;
use crate::image::Recipe;

#[test]
fn exit_codes_say_who_is_to_blame() {
    let said = |code| {
        let why = format!("error: it is so\n{}", "line\n".repeat(100));
        let error = refused(
            code,
            why.as_bytes(),
            "rev 0123456789ab".into(),
            "/c/log".into(),
        );
        error.map(|error| {
            let given = error.is_given();
            let text = error.to_string();
            assert!(text.lines().count() <= LINES + 1, "{text}");
            format!(
                "{given}: {}",
                text.lines().take(2).collect::<Vec<_>>().join("\n")
            )
        })
    };
    assert_eq!(said(1), None);
    let texts: Vec<_> = (20..=24).filter_map(said).collect();
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn values_are_words_of_the_shell() {
    let variables = [
        ("PLAIN", "a b".to_owned()),
        ("ODD", "it's $(so)".to_owned()),
    ];
    let text = script(&variables);
    let head: Vec<_> = text.lines().skip(1).take(2).collect();
    assert_eq!(head, ["PLAIN='a b'", r"ODD='it'\''s $(so)'"]);
}

#[test]
fn the_key_without_a_nixpkgs_is_that_of_scripts_and_packages() {
    let spec = |name| Recipe::embedded(name).expect("a recipe").spec().clone();
    let sid = spec("nixos");
    assert_eq!(key(&sid, None), key(&spec("nixos-nftables"), None));
    assert!(key(&sid, None).contains("nix-bin"));
}
