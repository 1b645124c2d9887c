//! Machines of all kinds, as a person reads about them.

use std::collections::BTreeMap;

use super::*;
use crate::doctor::{leftovers::Leftovers, probes::CacheState};

/// A machine that has everything.
fn good() -> Probes {
    let versions = [
        ("qemu-img", "qemu-img version 10.0.2"),
        ("mmdebstrap", "mmdebstrap 1.5.7"),
        ("gpg", "gpg (GnuPG) 2.4.7"),
        ("newuidmap", ""),
        ("mke2fs", "mke2fs 1.47.2"),
        ("ssh", "OpenSSH_10.0p2"),
        ("setpriv", "setpriv from util-linux 2.41"),
        ("nix", "nix (Nix) 2.26.3"),
    ];
    Probes {
        architecture: "x86_64".into(),
        qemu: Ok("QEMU emulator version 10.0.2".into()),
        kvm: Kvm::Proved,
        processors: 4,
        memory: 16 << 30,
        memory_limited: false,
        disk: Some(100 << 30),
        root: false,
        namespaces: Ok(()),
        numbers: true,
        programs: versions
            .map(|(program, version)| (program.to_owned(), version.to_owned()))
            .into(),
        keyring: true,
        cache: CacheState {
            folder: Some("/home/me/.cache/spawnlab".into()),
            exists: true,
            images: vec!["debian-trixie".into()],
            layers: 3,
            in_use: 1,
            layer_bytes: 1300 << 20,
            ..CacheState::default()
        },
        leftovers: Leftovers::default(),
    }
}

/// A machine on which nothing was installed yet.
fn bare() -> Probes {
    Probes {
        qemu: Err("qemu-system-x86_64 could not be started: No such file or directory; install qemu-system-x86 (ci/lab does)".into()),
        kvm: Kvm::Untried("there is no QEMU to try it with".into()),
        namespaces: Err("unshare: unshare failed: Operation not permitted\nmore".into()),
        numbers: false,
        programs: BTreeMap::new(),
        keyring: false,
        cache: CacheState {
            folder: Some("/home/me/.cache/spawnlab".into()),
            ..CacheState::default()
        },
        ..good()
    }
}

#[test]
fn a_good_machine() {
    let lines = lines(&good());
    insta::assert_snapshot!(table(&lines));
    assert!(can_run(&lines));
}

#[test]
fn a_bare_machine() {
    let lines = lines(&bare());
    insta::assert_snapshot!(table(&lines));
    assert!(!can_run(&lines));
    let silent = lines
        .iter()
        .filter(|line| line.word != Rating::Ok && line.fix.is_none());
    assert_eq!(silent.count(), 0, "each has its fix");
}

#[test]
fn a_machine_that_is_not_up_to_much_but_runs() {
    let mut probes = good();
    probes.kvm = Kvm::Unusable("/dev/kvm can't be opened: Permission denied (os error 13)".into());
    probes.memory = 700 << 20;
    probes.disk = Some(2 << 30);
    probes.cache.layers = 0;
    probes.cache.damaged = vec!["debian-sid-0123".into()];
    for program in ["mmdebstrap", "ssh", "nix"] {
        probes.programs.remove(program);
    }
    probes.numbers = false;
    probes.leftovers.scratch = vec!["/tmp/spawnlab-1000/vm-abc".into()];
    probes.leftovers.layers = vec!["/home/me/.cache/spawnlab/layers/.building-0123".into()];
    let lines = lines(&probes);
    insta::assert_snapshot!(table(&lines));
    assert!(can_run(&lines));
}

/// <https://github.com/coreos/coreos-assembler/issues/3118>
#[test]
fn coreos_assembler_3118_a_control_group_that_limits_memory_is_named() {
    let mut probes = good();
    (probes.memory, probes.memory_limited) = (700 << 20, true);
    let text = table(&lines(&probes));
    let memory = text.lines().skip_while(|line| !line.contains("memory"));
    insta::assert_snapshot!(memory.take(2).collect::<Vec<_>>().join("\n"));
}

#[rstest::rstest]
#[case::other_architecture(|probes: &mut Probes| probes.architecture = "aarch64".into(), "architecture")]
#[case::no_memory(|probes: &mut Probes| probes.memory = 100 << 20, "memory")]
#[case::full_disk(|probes: &mut Probes| probes.disk = Some(1 << 20), "disk")]
#[case::no_mke2fs(|probes: &mut Probes| drop(probes.programs.remove("mke2fs")), "image builder")]
#[case::no_setpriv(|probes: &mut Probes| drop(probes.programs.remove("setpriv")), "its tools")]
#[case::foreign_cache(|probes: &mut Probes| probes.cache.problem = Some("it belongs to user 0".into()), "cache")]
fn what_keeps_the_lab_from_running(#[case] change: fn(&mut Probes), #[case] what: &str) {
    let mut probes = good();
    change(&mut probes);
    let lines = lines(&probes);
    let missing = lines.iter().filter(|line| line.word == Rating::Missing);
    let missing: Vec<&str> = missing.map(|line| line.what).collect();
    assert_eq!(missing, [what]);
}

#[test]
fn a_machine_without_an_image_needs_its_builder() {
    let mut probes = good();
    probes.programs.remove("mmdebstrap");
    assert!(can_run(&lines(&probes)));
    probes.cache.images.clear();
    assert!(!can_run(&lines(&probes)));
}
