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

  # Nix reads flakes in repositories with it; and the tree's /usr has a place of this machine's own.
  environment.systemPackages = [ pkgs.git ];
  systemd.tmpfiles.rules = [
    "d /var/local/bin 0755 root root -"
    # of the proxy in front of the container web
    "d /var/lib/nginx 0755 root root -"
  ];

  # Builders are the tree's programs, which look below /usr.
  nix.settings.extra-sandbox-paths = [
    "/usr=${pkgs.debianTree}/usr"
    "/lib64/ld-linux-x86-64.so.2=${pkgs.debianTree}/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
  ];
}
