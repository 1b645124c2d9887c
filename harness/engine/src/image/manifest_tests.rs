use super::super::open::Image;
use super::*;

pub(crate) fn sample() -> Manifest {
    Manifest {
        version: MANIFEST_VERSION,
        name: "small".into(),
        id: "ab".repeat(32),
        recipe: "cd".repeat(32),
        arch: "x86_64".into(),
        kernel: "vmlinuz".into(),
        initrd: "initrd".into(),
        cmdline: "quiet console=ttyS0".into(),
        disks: vec![RootDisk {
            file: "root.raw".into(),
            format: "raw".into(),
            serial: "root".into(),
        }],
        agent: AgentPort {
            port: "org.qemu.guest_agent.0".into(),
            protocol: "qemu-ga".into(),
        },
        os: Os {
            id: "debian".into(),
            version: "13".into(),
            pretty: "Debian GNU/Linux 13 (trixie)".into(),
        },
        versions: Versions {
            systemd: "257.13-1".into(),
            nix: "2.26.3".into(),
            kernel: "6.12.1-cloud-amd64".into(),
        },
        store_filesystem: "ext4".into(),
        memory_mib: 2048,
        provision: "/lab/provision".into(),
        guest_bases: vec![GuestBaseEntry {
            name: "guest-base-trixie".into(),
            path: "/nix/store/0000-guest-base-trixie".into(),
            hash: "sha256-AAAA".into(),
            busybox: "/usr/bin/busybox".into(),
            suite: "trixie".into(),
        }],
        provenance: Provenance {
            releases: vec![Release {
                file: "deb.debian.org_debian_dists_trixie_InRelease".into(),
                sha256: "ef".repeat(32),
            }],
            built_at: "2026-01-02T03:04:05Z".into(),
            packages: "packages.tsv".into(),
        },
    }
}

fn parse(text: &str) -> Result<Manifest, ImageError> {
    Manifest::parse(Utf8Path::new("/images/small/image.json"), text.as_bytes())
}

#[test]
fn what_is_written_is_read_again() {
    let text = serde_json::to_string_pretty(&sample()).expect("JSON");
    insta::assert_snapshot!(text);
    assert_eq!(parse(&text).expect("good"), sample());
}

#[test]
fn refusals_say_what_is_wrong() {
    let text = serde_json::to_string(&sample()).expect("JSON");
    let cases = [
        String::new(),
        "[]".to_owned(),
        text.replace("\"version\":1", "\"version\":2"),
        // Of another version, nothing else is looked at.
        "{\"version\": 7}".to_owned(),
        text.replace("\"kernel\":\"vmlinuz\",", ""),
        text.replace("\"vmlinuz\"", "\"/boot/vmlinuz\""),
        text.replace("\"root.raw\"", "\"../root.raw\""),
        text.replace("\"arch\"", "\"colour\":1,\"arch\""),
        text.replace(&"ab".repeat(32), "latest"),
        text.replace("\"ext4\"", "\"overlay\""),
    ];
    let texts: Vec<_> = cases
        .iter()
        .map(|case| parse(case).expect_err(case).to_string())
        .collect();
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn an_image_is_whole_or_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = Utf8Path::from_path(dir.path())
        .expect("UTF-8")
        .canonicalize_utf8()
        .expect("a path");
    let refusal = |path: &Utf8Path| {
        Image::open(path)
            .expect_err("refused")
            .to_string()
            .replace(dir.as_str(), "<dir>")
    };
    let mut texts = vec![refusal(&dir.join("nowhere")), refusal(&dir)];
    std::fs::write(
        dir.join(MANIFEST_FILE),
        serde_json::to_string(&sample()).expect("JSON"),
    )
    .expect("written");
    for file in ["vmlinuz", "initrd", "root.raw"] {
        texts.push(refusal(&dir));
        std::fs::write(dir.join(file), "").expect("written");
    }
    insta::assert_snapshot!(texts.join("\n"));
    let image = Image::open(&dir).expect("whole");
    assert_eq!(image.kernel(), dir.join("vmlinuz"));
    assert_eq!(image.id(), sample().id);
}
