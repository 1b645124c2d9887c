//! Every firewall variant with every setting of its switches, as the kernel of this machine takes it:
//! `nft --check` and `iptables-restore --test`, in a network namespace of their own. It takes nft,
//! iptables, and the right to make such a namespace.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use scenarios::firewall::Firewall;

/// Feeds `input` to `script` in a new network namespace; as an ordinary user, in a user namespace, too.
fn in_a_namespace(script: &str, input: &str) -> (bool, String) {
    let root = rustix::process::geteuid().is_root();
    let rights: &[&str] = if root {
        &["--net"]
    } else {
        &["--net", "--user", "--map-root-user"]
    };
    let mut child = Command::new("unshare")
        .args(rights)
        .args(["sh", "-c", script])
        .env(
            "PATH",
            "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin",
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("unshare starts");
    let mut stdin = child.stdin.take().expect("piped");
    let written = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(written.is_ok(), "{script} read nothing: {said}");
    (output.status.success(), said)
}

#[test]
fn the_kernel_takes_every_variant_with_every_switch() {
    for firewall in Firewall::all() {
        let (taken, said) = in_a_namespace(firewall.check_script(), &firewall.rules());
        let text = firewall.text();
        assert_eq!(taken, !firewall.is_refused(), "{text}: {said}");
        if firewall.is_refused() {
            assert!(said.contains("unexpected +"), "{text}: {said}");
        }
    }
}

#[test]
fn the_kernel_refuses_what_is_no_rule() {
    for text in ["nixos", "nftables:nixos"] {
        let firewall = Firewall::read(text).expect("read").expect("not off");
        let broken = firewall.rules().replace("dport", "door");
        let (taken, said) = in_a_namespace(firewall.check_script(), &broken);
        assert!(!taken && said.contains("door"), "{text}: {said}");
    }
}
