# The claims on real NixOS hosts, as checks of the flake: one for each area, and for each pair of host and guest.
# They need a machine with KVM (`system-features = kvm nixos-test`, which is Nix' default where /dev/kvm is).
{
  pkgs,
  spawnlab,
  mkHostImage,
}:
let
  area = import ./area.nix { inherit pkgs spawnlab; };

  # Lets containers ask for a lease, with nixpkgs' own rule or with that of host.nix.
  host = mkHostImage { name = "nixos-host"; };
  nftables = mkHostImage {
    name = "nixos-host-nftables";
    modules = [ { networking.nftables.enable = true; } ];
  };
  nspawn-firewall = import ./firewall-test.nix { inherit pkgs; };

  areas = [
    "deploy"
    "egress"
    "firewall"
    "isolation"
    "journal"
    "names"
    "networking"
    "nixos"
    "rpfilter"
    "run"
    "status"
    "uplink"
  ];
  # What the backend decides; the rest is the same on both.
  filtered = [
    "egress"
    "firewall"
    "names"
    "networking"
    "nixos"
    "rpfilter"
    "uplink"
  ];
  on =
    image: prefix: names:
    builtins.listToAttrs (
      map (name: {
        name = "${prefix}-${name}";
        value = area {
          inherit image;
          name = "${prefix}-${name}";
          filters = [ "${name}::" ];
        };
      }) names
    );
in
on host "nixos" areas
// on nftables "nixos-nftables" filtered
# The same claim with NixOS' own test driver. It fails where nixpkgs lacks the change: there it is among the packages
# only, and not what `nix flake check` ends with.
// (if nspawn-firewall.passes then { nixos-nspawn-firewall = nspawn-firewall.test; } else { })
