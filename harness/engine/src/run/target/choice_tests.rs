use super::*;

/// The smallest folder that passes for a nixpkgs, a patch and a module beside it.
fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
    for folder in ["lib", "nixos/modules", "pkgs/top-level"] {
        fs_err::create_dir_all(root.join("nixpkgs").join(folder)).unwrap();
    }
    fs_err::write(root.join("nixpkgs/lib/.version"), "26.11").unwrap();
    fs_err::write(root.join("a.patch"), "--- a/x\n+++ b/x\n").unwrap();
    fs_err::write(root.join("empty.patch"), "\n").unwrap();
    fs_err::create_dir(root.join("modules")).unwrap();
    fs_err::write(root.join("modules/host.nix"), "{ }").unwrap();
    (dir, root)
}

fn options(image: &str, nixpkgs: Option<&str>, modules: &[&str], root: &Utf8Path) -> ImageOptions {
    let here = |text: &str| text.replace("HERE", root.as_str());
    ImageOptions {
        image: (!image.is_empty()).then(|| here(image)),
        nixpkgs: nixpkgs.map(here),
        host_modules: modules.iter().map(|file| here(file).into()).collect(),
        switch: None,
        own_firewall: false,
    }
}

#[test]
fn what_does_not_go_together_is_one_clear_message() {
    let (_dir, root) = folder();
    let said = |image: &str, nixpkgs: Option<&str>, modules: &[&str]| {
        let error = options(image, nixpkgs, modules, &root).check().unwrap_err();
        assert!(matches!(error, Error::Given(_)), "{error}");
        error.to_string().replace(root.as_str(), "HERE")
    };
    let module: &[&str] = &["HERE/modules/host.nix"];
    let texts = [
        said("nixos", None, &[]),
        said("nixos-nftables", None, module),
        said("", Some("HERE/nixpkgs"), &[]),
        said("sid", None, module),
        said("HERE", Some("HERE/nixpkgs"), &[]),
        said(".#host-image", None, module),
        said("nixos", Some("HERE/nowhere"), &[]),
        said("nixos", Some("HERE/modules"), &[]),
        said("nixos", Some("HERE/nixpkgs+HERE/gone.patch"), &[]),
        said("nixos", Some("HERE/nixpkgs+HERE/empty.patch"), &[]),
        said("nixos", Some("HERE/nixpkgs"), &["HERE/host.txt"]),
        said("nixos", Some("HERE/nixpkgs"), &["HERE/gone.nix"]),
    ];
    insta::assert_snapshot!(texts.join("\n"));
}

#[rstest::rstest]
#[case("nixos", "gone")]
#[case("nixos", "modules/host.nix")]
#[case("sid", "modules/host.nix")]
fn what_switches_is_a_program_and_for_nixos(#[case] image: &str, #[case] file: &str) {
    let (_dir, root) = folder();
    let nixpkgs = (image == "nixos").then_some("HERE/nixpkgs");
    let options = ImageOptions {
        switch: Some(root.join(file)),
        ..options(image, nixpkgs, &[], &root)
    };
    let error = options.check().unwrap_err();
    assert!(matches!(error, Error::Given(_)), "{error}");
    let said = error.to_string().replace(root.as_str(), "HERE");
    insta::assert_snapshot!(format!("switch_{image}_{}", file.len()), said);
}

#[rstest::rstest]
#[case("", None, &[])]
#[case("sid", None, &[])]
#[case("HERE/nixpkgs", None, &[])]
#[case(".#host-image", Some("github:NixOS/nixpkgs"), &[])]
#[case("nixos", Some("HERE/nixpkgs"), &[])]
#[case("nixos", Some("HERE/nixpkgs+HERE/a.patch"), &["HERE/modules/host.nix"])]
fn what_goes_together(
    #[case] image: &str,
    #[case] nixpkgs: Option<&str>,
    #[case] modules: &[&str],
) {
    let (_dir, root) = folder();
    options(image, nixpkgs, modules, &root).check().unwrap();
}

#[test]
fn the_image_is_another_for_all_that_goes_into_it() {
    let (_dir, root) = folder();
    let mut fixture = Fixture::provisioned();
    fixture.put_file("containers.nix", b"{ web = { }; }".to_vec());
    fixture.put_file("nix/host.nix", b"{ }".to_vec());
    fixture.put_file("guests/flake.nix", b"{ }".to_vec());
    let id = |options: &ImageOptions, fixture: &Fixture| {
        let choice = ImageChoice::read(options, fixture, &root).unwrap();
        let ImageChoice::Recipe(recipe) = choice else {
            panic!("it is a recipe")
        };
        recipe.id().to_owned()
    };
    let plain = options("nixos", Some("HERE/nixpkgs"), &[], &root);
    let mut seen = vec![id(&plain, &fixture)];
    assert_eq!(id(&plain, &fixture), seen[0]);
    let patched = options("nixos", Some("HERE/nixpkgs+HERE/a.patch"), &[], &root);
    let module = options(
        "nixos",
        Some("HERE/nixpkgs"),
        &["HERE/modules/host.nix"],
        &root,
    );
    let other = options("nixos-nftables", Some("HERE/nixpkgs"), &[], &root);
    let own = ImageOptions {
        own_firewall: true,
        ..plain.clone()
    };
    fs_err::write(root.join("switch"), "\x7fELF and more").unwrap();
    let switch = ImageOptions {
        switch: Some(root.join("switch")),
        ..plain.clone()
    };
    for other in [&patched, &module, &other, &own, &switch] {
        let id = id(other, &fixture);
        assert!(!seen.contains(&id), "{other:?}");
        seen.push(id);
    }
    // What guests are made of on Debian hosts is not in it.
    fixture.put_file("guests/flake.nix", b"{ a = 1; }".to_vec());
    assert_eq!(id(&plain, &fixture), seen[0]);
    for path in ["containers.nix", "nix/host.nix"] {
        fixture.put_file(path, b"{ other = { }; }".to_vec());
        let id = id(&plain, &fixture);
        assert!(!seen.contains(&id), "{path}");
        seen.push(id);
    }
    fs_err::write(root.join("nixpkgs/lib/.version"), "26.05").unwrap();
    assert!(!seen.contains(&id(&plain, &fixture)));
}
