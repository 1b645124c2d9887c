# The tests of the container declaration and of the modules, with the Nix of nixpkgs.
{
  runCommand,
  nix,
  diffutils,
  e2fsprogs,
  fakeroot,
  shellcheck,
  sqlite,
}:
runCommand "spawnlab-declaration"
  {
    nativeBuildInputs = [
      diffutils
      e2fsprogs
      fakeroot
      nix
      shellcheck
      sqlite
    ];
  }
  ''
    cp -r ${../.} source
    chmod -R u+w source
    patchShebangs source/tooling/nix source/nix source/vm-images/nixos
    sh source/tooling/nix/tests/run.sh >"$out" || {
      cat "$out"
      exit 1
    }
  ''
