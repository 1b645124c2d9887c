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
        pkgs.mmdebstrap
        pkgs.openssh
        pkgs.qemu
      ]
    else
      [ ]
  );
}
