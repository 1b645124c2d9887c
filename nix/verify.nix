# `nix run .#verify`: spawnlab, and the script that builds the two sides with this flake.
{
  lib,
  writeShellApplication,
  nix,
  spawnlab,
  # where this flake is, as a flake reference
  flake,
}:
writeShellApplication {
  name = "spawnlab-verify";
  runtimeInputs = [
    nix
    spawnlab
  ];
  text = builtins.replaceStrings [ "#!/usr/bin/env bash\n" "@flake@" ] [ "" flake ] (
    builtins.readFile ./verify.sh
  );
  meta = {
    description = "Compares NixOS hosts with and without a change of nixpkgs";
    license = lib.licenses.mit;
  };
}
