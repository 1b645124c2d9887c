# Modules are not merged here: that is nixpkgs' own. Only which they are can be asked.
{ modules, ... }:
{
  config = {
    inherit modules;
    system = throw "this is the stand-in for nixpkgs: NixOS systems need the real one";
    environment = throw "this is the stand-in for nixpkgs: NixOS systems need the real one";
  };
}
