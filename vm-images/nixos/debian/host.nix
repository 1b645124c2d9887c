# What only a host on the programs of Debian needs: the lab's initrd starts it, and it builds on the tree, too.
{
  lib,
  pkgs,
  ...
}:
{
  boot.initrd.enable = false;

  # Programs of nixpkgs' own that install and rebuild systems.
  system.disableInstallerTools = true;

  # Builders are the tree's programs, which look below /usr.
  nix.settings.extra-sandbox-paths = [
    "/usr=${pkgs.debianTree}/usr"
    "/lib64=${pkgs.debianTree}/usr/lib64"
  ];
}
