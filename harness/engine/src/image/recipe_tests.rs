use rstest::rstest;

use super::*;

const SMALL: &str = include_str!("testdata/small.toml");

fn parse(text: &str) -> Result<Recipe, ImageError> {
    Recipe::parse("test.toml", text, &|path| {
        Ok(format!("content of {path}").into_bytes())
    })
}

fn small() -> Recipe {
    parse(SMALL).expect("the recipe is good")
}

#[test]
fn files_come_from_text_file_or_link() {
    let recipe = small();
    assert_eq!(
        recipe.files.get(Utf8Path::new("/usr/lib/lab/agent")),
        Some(&FileContent::Bytes {
            mode: 0o755,
            bytes: b"content of files/agent".to_vec()
        })
    );
    assert_eq!(
        recipe.files.get(Utf8Path::new("/etc/localtime")),
        Some(&FileContent::Link("/usr/share/zoneinfo/UTC".into()))
    );
    assert_eq!(recipe.folder(), format!("small-{}", &recipe.id()[..16]));
}

#[test]
fn reading_twice_gives_the_same_name() {
    assert_eq!(small().id(), small().id());
}

#[rstest]
#[case::name("name = \"small\"", "name = \"tiny\"")]
#[case::suite("suite = \"trixie\"\napt", "suite = \"sid\"\napt")]
#[case::mirror("archive.example", "mirror.example")]
#[case::apt("Check-Valid-Until \"false\"", "Check-Valid-Until \"true\"")]
#[case::packages("\"nix-bin\"", "\"nix-bin\", \"git\"")]
#[case::host_excludes("share/info", "share/man")]
#[case::disk("disk_mib = 2048", "disk_mib = 4096")]
#[case::memory("memory_mib = 1024", "memory_mib = 2048")]
#[case::provision("/lab/provision", "/lab/other")]
#[case::modules("virtio_blk", "virtio_net")]
#[case::cmdline("\"quiet\"", "\"debug\"")]
#[case::enabled("systemd-networkd", "systemd-resolved")]
#[case::masked("mask", "disable")]
#[case::text("host\\n", "guest\\n")]
#[case::file("files/agent", "files/other")]
#[case::mode("0755", "0700")]
#[case::link("zoneinfo/UTC", "zoneinfo/CET")]
#[case::base("suite = \"trixie\"\npackages", "suite = \"sid\"\npackages")]
#[case::base_packages("\"busybox-static\"", "\"busybox-static\", \"curl\"")]
#[case::busybox("/usr/bin/busybox", "/bin/busybox")]
#[case::excludes("share/doc", "share/man")]
#[case::keep("\"usr\", \"etc\"", "\"usr\"")]
#[case::remove("etc/machine-id", "etc/hostname")]
fn every_input_changes_the_name(#[case] before: &str, #[case] after: &str) {
    let changed = SMALL.replacen(before, after, 1);
    assert_ne!(changed, SMALL, "the case changes nothing");
    assert_ne!(parse(&changed).expect("still good").id(), small().id());
}

#[test]
fn the_content_of_a_named_file_changes_the_name() {
    let other =
        Recipe::parse("test.toml", SMALL, &|_| Ok(b"other content".to_vec())).expect("good");
    assert_ne!(other.id(), small().id());
}

#[test]
fn refusals_say_what_is_wrong() {
    let cases = [
        ("name = \"small\"", "name = \"../small\""),
        ("name = \"small\"", "name = \"small\"\ncolour = \"red\""),
        ("suite = \"trixie\"\napt", "suite = \"trixie; rm\"\napt"),
        ("packages = [\"systemd\", \"nix-bin\"]", "packages = []"),
        ("\"nix-bin\"", "\"--hook-dir=/tmp\""),
        (
            "http://archive.example",
            "--hook-dir=/tmp http://archive.example",
        ),
        ("disk_mib = 2048", "disk_mib = 64"),
        ("memory_mib = 1024", "memory_mib = 0"),
        (
            "memory_mib = 1024",
            "memory_mib = 1024\nvariant = \"custom\"",
        ),
        ("\"/lab/provision\"", "\"lab/provision\""),
        ("\"quiet\"", "\"quiet splash\""),
        ("modprobe@drm", "modprobe'drm"),
        ("\"/etc/hostname\"", "\"/etc/../hostname\""),
        ("text = \"host\\n\"", "text = \"host\\n\"\nlink = \"/x\""),
        ("mode = \"0755\"", "mode = \"rwx\""),
        ("remove = [\"etc/machine-id\"]", "remove = [\"../etc\"]"),
        ("keep = [\"usr\", \"etc\"]", "keep = [\"..\"]"),
    ];
    let texts: Vec<_> = cases
        .iter()
        .map(|(before, after)| {
            let changed = SMALL.replacen(before, after, 1);
            assert_ne!(changed, SMALL, "the case changes nothing: {after}");
            parse(&changed).expect_err(after).to_string()
        })
        .collect();
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn an_unknown_embedded_recipe_is_refused() {
    insta::assert_snapshot!(
        Recipe::embedded("woody").expect_err("there is none"),
        @"recipe woody: there is no such recipe; known are trixie, bookworm, sid, trixie-python, nixos, nixos-nftables, nixos-firewalld, anything else by the path of its .toml file"
    );
}

#[test]
fn a_recipe_on_disk_reads_its_files_beside_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = Utf8Path::from_path(dir.path()).expect("UTF-8");
    std::fs::write(dir.join("small.toml"), SMALL).expect("written");
    let error = Recipe::from_path(dir.join("small.toml"))
        .expect_err("files/agent is missing")
        .to_string();
    assert_eq!(
        error,
        format!("cannot read {dir}/files/agent: No such file or directory (os error 2)")
    );
    std::fs::create_dir(dir.join("files")).expect("made");
    std::fs::write(dir.join("files/agent"), "content of files/agent").expect("written");
    assert_eq!(
        Recipe::from_path(dir.join("small.toml"))
            .expect("good")
            .id(),
        small().id()
    );
}
