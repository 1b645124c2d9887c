# nspawn-firewall.nix as a derivation, and whether it can pass: it demands of both backends what nixpkgs' change
# https://github.com/NixOS/nixpkgs/pull/498177 is for.
{ pkgs }:
let
  fixed =
    backend:
    (import ../tooling/nix/firewall.nix {
      config.networking.firewall = { inherit backend; };
      inherit (pkgs) lib;
      modulesPath = pkgs.path + "/nixos/modules";
    }).fixed;
in
{
  test = pkgs.testers.runNixOSTest ./nspawn-firewall.nix;
  passes = fixed "iptables" && fixed "nftables";
}
