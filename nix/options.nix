# The options of the host's module, as a page of CommonMark.
{
  lib,
  nixosOptionsDoc,
}:
let
  evaluated = lib.evalModules {
    modules = [
      ../tooling/nix/host.nix
      # Only the options are read: what the module sets is declared by NixOS and not here.
      { _module.check = false; }
    ];
    # NixOS' own modules, which the module looks at for a default; their text is not in the page.
    specialArgs.modulesPath = "";
  };
in
(nixosOptionsDoc {
  options = { inherit (evaluated.options) spawnlab; };
  # This flake's files have no address in nixpkgs.
  transformOptions = option: option // { declarations = [ ]; };
}).optionsCommonMark
