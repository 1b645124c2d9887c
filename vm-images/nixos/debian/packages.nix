# nixpkgs, with Debian's programs in the place of its own.
#
#   import ./packages.nix { nixpkgs = PATH; debian = DESCRIPTION; }
#
# `nixpkgs` is used as it is: its library, builders, formats, writers and the packages that have no sources. `debian`
# describes the trees that the builder of images made (tree.pl): names, hashes, and the versions of the packages.
{
  nixpkgs,
  debian,
  config ? { },
  overlays ? [ ],
}:
let
  inherit (builtins.fromTOML (builtins.readFile ./programs.toml)) programs nixpkgs-own;
  tree = import ./tree.nix { inherit (debian.tree) name hash; };
  kernel = import ./tree.nix { inherit (debian.kernel) name hash; };
in
import (nixpkgs + "/pkgs/top-level") {
  localSystem.system = "x86_64-linux";
  config = {
    # What is wanted by an old name is wanted all the same.
    allowAliases = true;
  }
  // config;
  stdenvStages = import ./stage.nix { inherit nixpkgs tree; };
  overlays = [
    (import ./overlay.nix {
      inherit tree debian;
      table = programs;
      own = nixpkgs-own.names;
    })
    (import ./stand-ins.nix { inherit tree kernel debian; })
  ]
  ++ overlays;
}
