//! Every firewall variant with every setting of its switches, as the kernel of this machine takes it:
//! `nft --check` and `iptables-restore --test`, in a network namespace of their own. It takes nft,
//! iptables, and the right to make such a namespace.

mod namespace;

use scenarios::firewall::Firewall;

use namespace::in_a_namespace;

#[test]
fn the_kernel_takes_every_variant_with_every_switch() {
    for firewall in Firewall::all() {
        let taken = in_a_namespace("sh", firewall.check_script(), &firewall.rules());
        let text = firewall.text();
        assert_eq!(taken.is_ok(), !firewall.is_refused(), "{text}: {taken:?}");
        if let Err(said) = taken {
            assert!(said.contains("unexpected +"), "{text}: {said}");
        }
    }
}

#[test]
fn the_kernel_refuses_what_is_no_rule() {
    for text in ["nixos", "nftables:nixos"] {
        let firewall = Firewall::read(text).expect("read").expect("not off");
        let broken = firewall.rules().replace("dport", "door");
        let taken = in_a_namespace("sh", firewall.check_script(), &broken);
        let refused = taken.as_ref().is_err_and(|said| said.contains("door"));
        assert!(refused, "{text}: {taken:?}");
    }
}
