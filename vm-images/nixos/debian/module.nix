# What a NixOS system needs to run on the programs of Debian, host or guest. Nothing else of it is decided here.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  tree = pkgs.debianTree;
  busybox = "${tree}/usr/bin/busybox";
in
{
  # Programs of Debian look for their loader, libraries and data below /usr, and so it is there before anything of them runs.
  # NixOS' own second stage follows, unchanged.
  system.systemBuilderCommands = lib.mkBefore ''
    mv $out/init $out/init-of-nixos
    cat >$out/init <<END
    #!${busybox} sh
    ${busybox} mkdir -p /usr /lib64
    ${busybox} mount -o bind ${tree}/usr /usr
    # In a container the store is read-only already, and its mounts are locked.
    [ -n "\$container" ] || {
        ${busybox} mount -o remount,bind,ro /usr
        [ -e /dev/fd ] || ${busybox} ln -s /proc/self/fd /dev/fd
        # Debian's kmod looks here for what nixpkgs' one finds in the system that was booted.
        ${busybox} mkdir -p /lib
        ${busybox} ln -sfn /run/booted-system/kernel-modules/lib/modules /lib/modules
    }
    ${busybox} ln -sfn ${tree}/usr/lib64/ld-linux-x86-64.so.2 /lib64/ld-linux-x86-64.so.2
    exec $out/init-of-nixos "\$@"
    END
    chmod +x $out/init
  '';
  environment.ldso = "${tree}/usr/lib64/ld-linux-x86-64.so.2";

  # It is in the tree, below a /usr that is not NixOS'.
  environment.usrbinenv = null;
  system.activationScripts.usrbinenv = lib.mkForce "";

  # Debian's C library loads the modules for names by itself, from where Debian has them.
  services.nscd.enable = false;
  system.nssModules = lib.mkForce [ ];

  # NixOS puts a path into a line that names another one in Debian's file, where it is right already.
  environment.etc."sysctl.d/50-coredump.conf" = lib.mkIf config.systemd.coredump.enable {
    source = lib.mkForce "${config.systemd.package}/example/sysctl.d/50-coredump.conf";
  };

  # For storage and for a way to boot that a machine of the lab has not got.
  services.lvm.enable = false;
  boot.bcache.enable = false;
  boot.swraid.enable = false;
  boot.kexec.enable = false;
  # Its tool is a compiled program of nixpkgs' own.
  systemd.shutdownRamfs.enable = false;

  # Checked when it is built by a kernel that is compiled as a library. The host's own kernel says what is wrong with it.
  networking.nftables.checkRuleset = lib.mkDefault false;

  # nixpkgs compiles these into its nginx; Debian's would write to a folder that the service must not.
  services.nginx.commonHttpConfig = lib.mkIf config.services.nginx.enable (
    lib.concatMapStrings (kind: "${kind}_temp_path /tmp/nginx_${kind};\n") [
      "client_body"
      "proxy"
      "fastcgi"
      "uwsgi"
      "scgi"
    ]
  );

  # Where Debian's sshd leaves its rights, by a constant of its own.
  systemd.tmpfiles.rules = lib.mkIf config.services.openssh.enable [ "d /run/sshd 0755 root root -" ];

  # Of Debian's locales there is C.UTF-8, which is part of its C library.
  i18n.defaultLocale = "C.UTF-8";
  i18n.glibcLocales = null;

  # Debian's polkit runs as a user of another name than nixpkgs' does: its unit and its policy for the bus say so.
  users.users.polkitd = lib.mkIf config.security.polkit.enable {
    isSystemUser = true;
    group = "polkitd";
  };
  users.groups.polkitd = lib.mkIf config.security.polkit.enable { };
}
