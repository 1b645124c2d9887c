# NixOS containers, as anybody's flake has them: `nixos-deploy-container page root@host`.
{
  description = "A page in a container";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
    # Wherever you have this repository from, as a path or an address.
    spawnlab.url = "git+https://example.org/spawnlab";
    spawnlab.inputs.nixpkgs.follows = "nixpkgs";
  };

  outputs =
    { nixpkgs, spawnlab, ... }:
    let
      page =
        text:
        nixpkgs.lib.nixosSystem {
          modules = [
            spawnlab.nixosModules.guest
            (import ./page.nix text)
          ];
        };
    in
    {
      nixosConfigurations = {
        page = page "first edition\n";
        page-v2 = page "second edition\n";
      };
    };
}
