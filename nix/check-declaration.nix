# The tests of the container declaration and of the modules, with the Nix of nixpkgs.
{
  runCommand,
  nix,
  diffutils,
  shellcheck,
}:
runCommand "spawnlab-declaration"
  {
    nativeBuildInputs = [
      diffutils
      nix
      shellcheck
    ];
  }
  ''
    cp -r ${../.} source
    chmod -R u+w source
    patchShebangs source/tooling/nix
    sh source/tooling/nix/tests/run.sh >"$out" || {
      cat "$out"
      exit 1
    }
  ''
