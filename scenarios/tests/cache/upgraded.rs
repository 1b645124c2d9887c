//! Another QEMU than the one that saved the layers.

use std::{fs, os::unix::fs::PermissionsExt};

use libtest_mimic::Completion;

use crate::{
    lab::{HOST, Lab},
    running::{Running, was},
};

/// Calls itself an upgrade, and is the same QEMU otherwise.
const UPGRADE: &str = r#"#!/bin/sh
PATH=${PATH#*:}
case $1 in
--version) exec qemu-system-x86_64 --version | sed 's/version \([0-9.]*\)/version \1.99/' ;;
*) exec qemu-system-x86_64 "$@" ;;
esac
"#;

pub(crate) fn qemu(lab: &Lab) -> Completion {
    let cache = lab.host();
    cache.passes(HOST);
    let before = cache.layer("booted");
    let record = fs::read(before.join("layer.json")).expect("readable");
    let bin = lab.folder("bin");
    let program = bin.join("qemu-system-x86_64");
    fs::write(&program, UPGRADE).expect("writable");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("executable");
    let mut run = cache.run(HOST);
    let path = std::env::var("PATH").expect("a path");
    run.env("PATH", format!("{}:{path}", bin.display()));
    let seen = Running::start(run).passes();
    for layer in ["booted", "host"] {
        assert!(was(&seen, "built", layer), "{seen:#?}");
        assert_eq!(cache.layers_called(layer).len(), 2);
    }
    assert_eq!(
        fs::read(before.join("layer.json")).expect("readable"),
        record
    );
    let seen = cache.passes(HOST);
    for layer in ["booted", "host"] {
        assert!(was(&seen, "reused", layer), "{seen:#?}");
    }
    Completion::Completed
}
