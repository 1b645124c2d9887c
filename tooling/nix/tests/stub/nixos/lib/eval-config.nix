# Modules are not merged here: that is nixpkgs' own.
arguments: {
  passedTo = arguments;
  config = throw "this is the stand-in for nixpkgs: NixOS systems need the real one";
}
