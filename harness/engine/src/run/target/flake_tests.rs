use super::*;

/// A folder with a program `nix` of the given shell text, in which `$out` is the link that it was asked for.
fn with_nix(script: &str) -> (tempfile::TempDir, Utf8PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(dir.path())
        .unwrap()
        .canonicalize_utf8()
        .unwrap();
    let nix = root.join("nix");
    let text = format!("#!/bin/sh\nhere=${{0%/*}}\nout=$5\n{script}\n");
    // Written by a process of its own: a program that another thread's child still has open for
    // writing cannot be started.
    let written = Command::new("sh")
        .args(["-c", "printf %s \"$1\" >\"$2\" && chmod 755 \"$2\"", "sh"])
        .args([text.as_str(), nix.as_str()])
        .status()
        .unwrap();
    assert!(written.success());
    (dir, root)
}

fn build_in(root: &Utf8Path) -> Result<Utf8PathBuf> {
    build_on(root, None)
}

fn build_on(root: &Utf8Path, nixpkgs: Option<&str>) -> Result<Utf8PathBuf> {
    build_with(
        root.join("nix").as_os_str(),
        "github:a/b#host-image",
        nixpkgs,
        &root.join("links"),
    )
}

#[test]
fn references_are_told_from_recipes() {
    for reference in [
        ".#host-image",
        "github:a/b",
        "git+https://example.org/a",
        "path:/a",
        "nixpkgs#hello",
    ] {
        assert!(is_reference(reference), "{reference}");
    }
    for other in [
        "trixie",
        "debian/trixie.toml",
        "/images/a",
        "./a",
        ":",
        "a/b:c",
    ] {
        assert!(!is_reference(other), "{other}");
    }
}

#[test]
fn the_result_is_a_folder_and_stays_linked() {
    let (_dir, root) = with_nix(
        "printf '%s\\n' \"$@\" >\"$here/arguments\"; mkdir \"$here/image\"; ln -s \"$here/image\" \"$out\"",
    );
    assert_eq!(build_in(&root).unwrap(), root.join("image"));
    let arguments = fs_err::read_to_string(root.join("arguments")).unwrap();
    let arguments: Vec<&str> = arguments.lines().collect();
    assert_eq!(
        arguments[..4],
        [
            "--extra-experimental-features",
            "nix-command flakes",
            "build",
            "--out-link"
        ]
    );
    assert_eq!(arguments[5..], ["--", "github:a/b#host-image"]);
    assert!(Utf8Path::new(arguments[4]).is_symlink());
}

#[test]
fn another_nixpkgs_is_another_result() {
    // $6 to $8 are the override and its two words.
    let (_dir, root) = with_nix(
        "[ \"$6 $7\" = '--override-input nixpkgs' ] || exit 9; made=$here/image-$8; mkdir \"$made\"; ln -s \"$made\" \"$out\"",
    );
    for change in ["base", "change"] {
        let image = build_on(&root, Some(change)).unwrap();
        assert_eq!(image, root.join(format!("image-{change}")));
    }
    let links = fs_err::read_dir(root.join("links")).unwrap();
    assert_eq!(links.count(), 2, "neither takes the other's place");
}

#[test]
fn the_source_of_a_reference_is_where_nix_says() {
    let (_dir, root) = with_nix(
        r#"[ "$3 $4 $8" = 'flake metadata github:a/b' ] || exit 9
        echo '{"path": "/nix/store/0-source", "revision": "7beb50e7ff79", "other": 1}'"#,
    );
    let source = source_with(root.join("nix").as_os_str(), "github:a/b").unwrap();
    let expected = (
        "/nix/store/0-source".into(),
        Some("7beb50e7ff79".to_owned()),
    );
    assert_eq!(source, expected);
}

#[test]
fn a_source_that_nix_does_not_find_is_an_error() {
    let (_dir, root) = with_nix("exit 1");
    let nix = root.join("nix");
    let said = |nix: &Utf8Path| {
        let error = source_with(nix.as_os_str(), "github:a/b").unwrap_err();
        error.to_string()
    };
    assert!(said(&nix).contains("exit status: 1"));
    assert!(said(&root.join("no-nix")).contains("there is no command nix here"));
}

#[test]
fn a_failed_build_is_passed_on() {
    let (_dir, root) = with_nix("exit 7");
    let error = build_in(&root).unwrap_err().to_string();
    assert!(error.contains("github:a/b#host-image"), "{error}");
    assert!(error.contains("exit status: 7"), "{error}");
}

#[test]
fn a_build_without_a_result_is_an_error() {
    let (_dir, root) = with_nix("exit 0");
    let error = build_in(&root).unwrap_err().to_string();
    assert!(error.contains("left no result"), "{error}");
}

#[test]
fn without_nix_the_message_says_so() {
    let (_dir, root) = with_nix("");
    fs_err::remove_file(root.join("nix")).unwrap();
    let error = build_in(&root).unwrap_err().to_string();
    assert!(error.contains("there is no command nix here"), "{error}");
}
