# Machines to deploy, built without nixpkgs: every closure is one plain derivation on the Debian tree
# that the host image already has in its Nix store. What a deploy tool needs is all there: the
# attribute it evaluates, a derivation to copy, a build on the target, `init` and
# `bin/switch-to-configuration`. On a NixOS host image the same names are real NixOS systems.
{
  description = "Small systemd-nspawn guests for testing a deploy tool";

  outputs =
    { self }:
    let
      closure = import ./lib/closure.nix {
        # Dropped next to this file by the host's provisioning: which tree the host has, and its hash.
        base = import ./lib/base.nix (builtins.fromJSON (builtins.readFile ./guest-base.json));
      };
      machine = file: { config.system.build.toplevel = closure (import file); };
      web = page: extra: {
        config.system.build.toplevel = closure (import ./machines/web.nix { inherit page extra; });
      };
    in
    {
      nixosConfigurations = {
        bare = machine ./machines/bare.nix;
        web = web "web version 1\n" { };
        web-v2 = web "web version 2\n" { };
        # The service manager's own settings differ: a switch executes it anew, as for another systemd.
        web-manager = web "web version 3\n" {
          files."etc/systemd/system.conf.d/20-changed.conf" = "[Manager]\nDefaultEnvironment=LAB=changed\n";
        };
        web-broken = web "web version broken\n" (import ./machines/broken-unit.nix);
      };
    };
}
