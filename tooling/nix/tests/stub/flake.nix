{
  description = "A stand-in for nixpkgs: what the flake's outputs call, and nothing that builds";

  outputs = _: import ./default.nix;
}
