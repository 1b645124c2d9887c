use std::collections::HashSet;

use super::*;

fn read(text: &str) -> Firewall {
    Firewall::read(text).expect("read").expect("not off")
}

#[rstest::rstest]
#[case("off", None)]
#[case("nixos", Some("iptables-nixos"))]
#[case("iptables:nixos", Some("iptables-nixos"))]
#[case("nixpkgs-498177", Some("iptables-nixpkgs-498177"))]
#[case("nftables:nixpkgs-498177-nft", Some("nftables-nixpkgs-498177-nft"))]
#[case("nftables:workaround", Some("nftables-workaround"))]
#[case("nixos+rpfilter=loose", Some("iptables-nixos-rpfilter-loose"))]
#[case("nixos+rpfilter=strict", Some("iptables-nixos"))]
#[case("nftables:nixos+forward", Some("nftables-nixos-forward-on"))]
#[case(
    "nftables:nixos+forward=containers+rpfilter=off",
    Some("nftables-nixos-rpfilter-off-forward-containers")
)]
fn what_is_meant(#[case] text: &str, #[case] name: Option<&str>) {
    let firewall = Firewall::read(text).expect("read");
    assert_eq!(firewall.map(Firewall::name).as_deref(), name);
}

#[rstest::rstest]
#[case("nixpkgs-498177-nft", "write nftables:nixpkgs-498177-nft")]
#[case("nixxos", "workaround")]
#[case("firewalld:nixos", "iptables and nftables")]
#[case("", "no variant")]
#[case("nixos+", "no switch")]
#[case(
    "nixos+colour=red",
    "rpfilter=strict|loose|off and forward=off|on|containers"
)]
#[case(
    "nixos+rpfilter",
    "write rpfilter=strict or rpfilter=loose or rpfilter=off"
)]
#[case("nixos+rpfilter=weak", "write rpfilter=strict")]
#[case("nixos+rpfilter=off+rpfilter=off", "twice")]
#[case("nixos+forward", "write nftables:...+forward")]
#[case("off+forward", "no variant")]
fn what_is_not_there_is_said(#[case] text: &str, #[case] part: &str) {
    let error = Firewall::read(text).expect_err("refused");
    assert!(error.contains(part), "{error}");
}

#[test]
fn what_is_written_is_read_again() {
    for firewall in Firewall::all() {
        assert_eq!(read(&firewall.text()), firewall);
    }
}

#[test]
fn all_are_there_and_differ() {
    let all = Firewall::all();
    // Four variants with three reverse path filters; five with these and three forward filters.
    assert_eq!(all.len(), 4 * 3 + 5 * 3 * 3);
    let names: HashSet<String> = all.iter().map(|firewall| firewall.name()).collect();
    assert_eq!(names.len(), all.len());
    let rules: HashSet<String> = all.iter().map(|firewall| firewall.rules()).collect();
    // On nftables nixpkgs' change is no change.
    assert_eq!(rules.len(), all.len() - 3 * 3);
}

#[test]
fn the_change_of_nixpkgs_has_no_part_for_nftables() {
    assert_eq!(
        read("nftables:nixpkgs-498177").rules(),
        read("nftables:nixos").rules()
    );
    assert_ne!(
        read("iptables:nixpkgs-498177").rules(),
        read("iptables:nixos").rules()
    );
}

#[test]
fn switches_change_what_they_are_about_and_nothing_else() {
    let plain = read("nftables:nixos").rules();
    assert!(
        plain.contains("fib saddr . mark . iif oif exists"),
        "{plain}"
    );
    assert!(!plain.contains("hook forward"), "{plain}");
    let loose = read("nftables:nixos+rpfilter=loose").rules();
    assert_eq!(
        loose,
        plain.replace("fib saddr . mark . iif oif", "fib saddr . mark oif")
    );
    let off = read("nixos+rpfilter=off").rules();
    assert!(off.starts_with("*mangle\nCOMMIT\n*filter\n"), "{off}");
    let forward = read("nftables:nixos+forward").rules();
    assert!(forward.contains("hook forward"), "{forward}");
    let let_out: Vec<_> = read("nftables:nixos+forward=containers")
        .rules()
        .lines()
        .filter(|line| !forward.lines().any(|known| known == *line))
        .map(|line| line.trim().to_owned())
        .collect();
    assert_eq!(let_out, ["iifname \"ve-*\" accept"]);
}
