# One machine: its name and modules -> a NixOS system. Through eval-config.nix and not nixpkgs' flake, which puts
# into a system what it knows of its own commit: the image's builder knows it and the VM does not, and the two have
# to come to the same derivations.
nixpkgs: name: modules:
let
  # In the VM it lies beside this file; in the repository it is the one that users import.
  guest = if builtins.pathExists ./guest.nix then ./guest.nix else ../../../tooling/nix/guest.nix;
  # Only where the host's programs are Debian's.
  debian = if builtins.pathExists ./debian then [ (import ./debian/system.nix nixpkgs) ] else [ ];
  system = import "${nixpkgs}/nixos/lib/eval-config.nix" {
    # set by common.nix
    system = null;
    modules = [
      guest
      ./common.nix
      # The name of the derivation, by which scenarios know it; the host's name is the container's.
      { system.name = "guest-system-${name}"; }
    ]
    ++ debian
    ++ modules;
  };
in
{
  inherit (system) config;
}
