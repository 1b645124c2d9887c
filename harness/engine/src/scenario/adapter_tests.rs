use super::*;

static OTHER: Adapter = Adapter {
    name: "other",
    source: "https://example.org/other",
    code: "code",
    deploy: b"#!/bin/sh\n",
    files: &[
        ("provision", b"#!/bin/sh\n/lab/lab-provision\n"),
        ("adapter/shape.nix", b"{ }"),
    ],
    promises: &[Guarantee::RollsBack],
    packages: (&["python3", "python3-rich"], "trixie-python"),
    not_applicable: &[
        ("team::", "it runs as root"),
        ("deploy::settings", "no host declares them"),
    ],
};

const ALL: &[&Adapter] = &[&OTHER];

/// A checkout, and the words that name it.
fn checkout(code: &str) -> (tempfile::TempDir, Utf8PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(folder.path()).unwrap();
    fs_err::create_dir(path.join(code)).unwrap();
    fs_err::write(path.join(code).join("main.py"), "print()\n").unwrap();
    let words = format!("other={path}").into();
    (folder, words)
}

fn adapted() -> (tempfile::TempDir, GivenTool) {
    let (folder, words) = checkout("code");
    let tool = GivenTool::read(&words, ALL).expect("a checkout");
    (folder, tool)
}

#[test]
fn an_adapter_is_named_before_the_path_of_a_checkout() {
    let (folder, tool) = adapted();
    let path = folder.path().canonicalize().unwrap();
    assert_eq!(tool.to_string(), format!("other={}", path.display()));
}

#[rstest::rstest]
#[case(
    "other",
    "it takes the path of a checkout of https://example.org/other: other=PATH"
)]
#[case("another=/tmp", "there is no adapter \"another\"; there are other")]
#[case("other=", "there is no code: \"\" is no checkout of")]
#[case(
    "other=/nowhere",
    "there is no /nowhere/code: \"/nowhere\" is no checkout of"
)]
#[case("./other=/tmp", "No such file")]
#[case("/opt/deploy=new", "No such file")]
fn what_is_no_tool_is_refused(#[case] text: &str, #[case] why: &str) {
    let said = GivenTool::read(text.into(), ALL).expect_err("refused");
    assert!(said.contains(why), "{said}");
}

#[test]
fn a_folder_of_something_else_is_no_checkout() {
    let (_folder, words) = checkout("src");
    let said = GivenTool::read(&words, ALL).expect_err("refused");
    assert!(said.contains("is no checkout of"), "{said}");
    let said = GivenTool::read(&words, &[]).expect_err("refused");
    assert_eq!(said, "there is no adapter \"other\": the suite has none");
}

#[test]
fn a_program_may_have_any_name() {
    let folder = tempfile::tempdir().unwrap();
    let program = Utf8Path::from_path(folder.path()).unwrap().join("other=x");
    fs_err::write(&program, "#!/bin/sh\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs_err::set_permissions(&program, mode).unwrap();
    let tool = GivenTool::read(&program, ALL).expect("a program");
    assert!(matches!(tool, GivenTool::Program(path) if path.ends_with("other=x")));
}

#[test]
fn its_files_stand_before_the_labs() {
    let (_folder, tool) = adapted();
    let GivenTool::Adapted(adapted) = tool else {
        panic!("{tool}")
    };
    let mut fixture = Fixture::provisioned();
    let provision = fixture.files[0].content.clone();
    adapted.put(&mut fixture).unwrap();
    let content = |path: &str| {
        let found = fixture.files.iter().find(|file| file.path == path);
        found.map(|file| file.content.as_slice())
    };
    assert_eq!(content(OWN_PROVISION), Some(provision.as_slice()));
    assert_eq!(content(PROVISION), Some(OTHER.files[0].1));
    assert_eq!(
        content("subject/code/main.py"),
        Some(b"print()\n".as_slice())
    );
    assert_eq!(content("adapter/shape.nix"), Some(b"{ }".as_slice()));
}

#[test]
fn a_host_without_its_packages_is_refused_with_an_image_that_has_them() {
    let (_folder, tool) = adapted();
    let GivenTool::Adapted(adapted) = tool else {
        panic!("{tool}")
    };
    let guests = "host\tpython3\t3.13.5-1\nguest-base-trixie\tpython3-rich\t13.9.4-1\n";
    assert_eq!(
        adapted.lacks(guests).as_deref(),
        Some(
            "other needs python3-rich on the host, which this image has not: --image trixie-python has it"
        )
    );
    let host = format!("{guests}host\tpython3-rich\t13.9.4-1\n");
    assert_eq!(adapted.lacks(&host), None);
}

#[test]
fn a_claim_that_is_none_about_it_has_a_reason() {
    let (_folder, tool) = adapted();
    let why = |area, name| tool.not_applicable(&Scenario::idle(area, name));
    assert_eq!(
        why("team", "deploys").as_deref(),
        Some("other: it runs as root")
    );
    assert_eq!(
        why("deploy", "settings_restart").as_deref(),
        Some("other: no host declares them")
    );
    assert_eq!(why("deploy", "first"), None);
    let program = GivenTool::Program("/bin/sh".into());
    assert_eq!(
        program.not_applicable(&Scenario::idle("team", "deploys")),
        None
    );
}
