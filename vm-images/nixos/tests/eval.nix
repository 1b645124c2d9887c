# What run.sh compares: the description of an image, and of images that cannot be.
let
  manifest = import ../manifest.nix;
  good = {
    name = "nixos-test";
    id = builtins.hashString "sha256" "a disk";
    inputs = [ "a system" ];
    cmdline = [
      "root=/dev/disk/by-id/virtio-root"
      "console=ttyS0"
      "init=/nix/store/0000-nixos-system/init"
    ];
    os = {
      id = "nixos";
      version = "26.05";
      pretty = "NixOS 26.05 (Test)";
    };
    versions = {
      systemd = "260.1";
      nix = "2.34.1";
      kernel = "6.18.1";
    };
    storeFilesystem = "ext4";
    memoryMiB = 3072;
    provision = "/run/current-system/sw/bin/spawnlab-provision";
    builtAt = "2026-11-01T00:00:00Z";
  };
  accepts = change: (builtins.tryEval (manifest (good // change))).success;
in
{
  image = manifest good;
  # The name of each change that was accepted, and should not be: empty.
  accepted = builtins.filter (name: name != null) (
    builtins.attrValues (
      builtins.mapAttrs (name: change: if accepts change then name else null) {
        name.name = "Not A Name";
        id.id = "latest";
        arch.arch = "aarch64";
        words.cmdline = [ "two words" ];
        filesystem.storeFilesystem = "overlay";
        memory.memoryMiB = 64;
        provision.provision = "lab/provision";
      }
    )
  );
  recipeFollowsTheInputs =
    (manifest (good // { inputs = [ "another system" ]; })).recipe != (manifest good).recipe;
}
