# What ci/test calls, where it would otherwise ask a distribution's package manager.
{ pkgs }:
pkgs.mkShell {
  packages = [
    pkgs.cargo
    pkgs.clippy
    pkgs.rustc
    pkgs.rustfmt
    pkgs.shellcheck
  ]
  ++ (
    if pkgs.stdenv.hostPlatform.isLinux then
      [
        pkgs.e2fsprogs
        pkgs.openssh
        pkgs.qemu
      ]
      # Builds Debian's images. Not every nixpkgs has it; without it, `spawnlab doctor` says what is missing.
      ++ (if pkgs ? mmdebstrap then [ pkgs.mmdebstrap ] else [ ])
    else
      [ ]
  );
}
