# The outputs of the flake, and of ../skew, with a nixpkgs that is a folder: kind -> name -> what it comes to, a text
# whose evaluation is all of the output's. Without Nix' own flakes, which would copy the folder into the store.
#
#   { nixpkgs, flake }: { "packages.x86_64-linux" = { spawnlab = "/nix/store/....drv"; ... }; ... }
{
  # a checkout of nixpkgs
  nixpkgs,
  # this repository, without what is built in it
  flake,
}:
let
  inherit (builtins)
    attrNames
    concatMap
    listToAttrs
    mapAttrs
    ;

  # As Nix calls a flake: its outputs know the flake itself and its inputs.
  call =
    folder: inputs:
    let
      self =
        (import (folder + "/flake.nix")).outputs (inputs // { inherit self; })
        // {
          # A text, and not a path: a path in a text is copied into the store.
          outPath = toString folder;
          lastModifiedDate = "19700101000000";
        };
    in
    self;

  tree = call nixpkgs { };
  ours = call flake { nixpkgs = tree; };
  # One tree in the place of two releases: their difference is not what is looked at here.
  skew = call (flake + "/nixos-tests/skew") {
    spawnlab = ours;
    stable = tree;
    unstable = tree;
  };

  drvs = mapAttrs (_: one: one.drvPath);
  # `kind` of a flake's outputs, for each system.
  systems =
    prefix: of: kind: f:
    map (system: {
      name = "${prefix}${kind}.${system}";
      value = f of.${kind}.${system};
    }) (attrNames of.${kind});

  known = {
    packages = systems "" ours "packages" drvs;
    checks = systems "" ours "checks" drvs;
    devShells = systems "" ours "devShells" drvs;
    apps = systems "" ours "apps" (mapAttrs (_: app: app.program));
    formatter = [
      {
        name = "formatter";
        value = drvs ours.formatter;
      }
    ];
    overlays = [
      {
        name = "overlays";
        value.default =
          (import nixpkgs {
            system = "x86_64-linux";
            config = { };
            overlays = [ ours.overlays.default ];
          }).spawnlab.drvPath;
      }
    ];
    nixosModules = [
      {
        name = "nixosModules";
        # In a system each, without anything of the lab's.
        value = mapAttrs (
          _: module:
          (tree.lib.nixosSystem {
            modules = [
              module
              {
                nixpkgs.hostPlatform = "x86_64-linux";
                boot.loader.grub.enable = false;
                fileSystems."/" = {
                  device = "/dev/vda";
                  fsType = "ext4";
                };
                system.stateVersion = tree.lib.trivial.release;
              }
            ];
          }).config.system.build.toplevel.drvPath
        ) ours.nixosModules;
      }
    ];
    lib = [
      {
        name = "lib";
        value = {
          mkHostImage =
            (ours.lib.mkHostImage {
              name = "named";
              diskMiB = 10240;
            }).drvPath;
          mkGuest =
            (ours.lib.mkGuest {
              system = "aarch64-linux";
              modules = [ { system.stateVersion = tree.lib.trivial.release; } ];
            }).config.system.build.toplevel.drvPath;
        };
      }
    ];
  };
  # What the flake has is what is evaluated: a kind that is not known here is an error, and not left out.
  ofFlake = concatMap (
    kind: known.${kind} or (throw "nixos-tests/evaluate/tree.nix does not know the output ${kind}")
  ) (attrNames (removeAttrs ours [ "outPath" "lastModifiedDate" ]));
in
listToAttrs (
  ofFlake ++ systems "skew." skew "packages" drvs ++ systems "skew." skew "checks" drvs
)
