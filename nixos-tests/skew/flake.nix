# Hosts of one release of NixOS with guests of another, both ways. A flake of its own, so that the one at the root
# keeps its single input: `nix flake check ./nixos-tests/skew`, or `nix build ./nixos-tests/skew#NAME`.
{
  description = "spawnlab: stable guests on unstable hosts, and the reverse";

  inputs = {
    stable.url = "github:NixOS/nixpkgs/nixos-25.11";
    unstable.url = "github:NixOS/nixpkgs/nixos-unstable";
    # Nix 2.26 or newer follows a relative path.
    spawnlab = {
      url = "path:../..";
      inputs.nixpkgs.follows = "unstable";
    };
  };

  outputs =
    {
      self,
      spawnlab,
      stable,
      unstable,
    }:
    let
      system = "x86_64-linux";
      pkgs = unstable.legacyPackages.${system};
      area = import "${spawnlab}/nixos-tests/area.nix" {
        inherit pkgs;
        inherit (spawnlab.packages.${system}) spawnlab;
      };
      pairs = {
        stable-on-unstable = {
          nixpkgs = unstable;
          guestNixpkgs = stable;
        };
        unstable-on-stable = {
          nixpkgs = stable;
          guestNixpkgs = unstable;
        };
      };
      each = f: builtins.mapAttrs f pairs;
      image = name: pair: spawnlab.lib.mkHostImage (pair // { name = "nixos-${name}"; });
    in
    {
      packages.${system} = each image;
      checks.${system} = each (
        name: pair:
        area {
          inherit name;
          image = image name pair;
          # What depends on two systemds understanding each other.
          filters = [
            "deploy::"
            "journal::"
            "names::"
            "networking::"
            "run::"
            "status::"
          ];
        }
      );
    };
}
