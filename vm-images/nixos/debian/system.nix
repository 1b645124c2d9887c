# nixpkgs -> the module that puts a NixOS system on the programs of Debian. The description of the trees lies beside it: the
# builder of images writes it.
nixpkgs:
{ lib, ... }:
{
  imports = [ ./module.nix ];
  nixpkgs.pkgs = lib.mkDefault (
    import ./packages.nix {
      inherit nixpkgs;
      debian = builtins.fromJSON (builtins.readFile ./description.json);
    }
  );
}
