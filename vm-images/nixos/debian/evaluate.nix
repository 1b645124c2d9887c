# The host of an image, as the builder of images asks for it (build/3-host.sh), and the host itself for one with other
# containers (../apply-containers.sh).
{
  nixpkgs,
  # of this repository, and of the user
  modules,
  # a file with the containers, where they are not those of the image
  containers ? null,
}:
let
  system = import (nixpkgs + "/nixos/lib/eval-config.nix") {
    system = null;
    modules = [
      (import ./system.nix nixpkgs)
      ./host.nix
      ../system.nix
    ]
    ++ (if containers == null then [ ] else [ { spawnlab.lab.containers = import containers; } ])
    ++ modules;
  };
  inherit (system) config;
in
{
  inherit (config.system.build) toplevel;
  description = {
    os = {
      id = "nixos";
      version = config.system.nixos.release;
    };
    versions = {
      systemd = config.systemd.package.version;
      nix = config.nix.package.version;
      kernel = config.boot.kernelPackages.kernel.modDirVersion;
    };
    cmdline = [ "init=${config.system.build.toplevel}/init" ] ++ config.boot.kernelParams;
    provision = "/run/current-system/sw/bin/spawnlab-provision";
  };
}
