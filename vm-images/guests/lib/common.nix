# What every guest shares: network, resolver, journal and message bus, and nothing that a container
# under emulation would wait for. A start is paid for by every restart that a test makes.
{
  files = {
    "etc/systemd/system.conf.d/10-guest.conf" = ''
      [Manager]
      ShowStatus=no
      DefaultTimeoutStartSec=5min
      DefaultTimeoutStopSec=10s
    '';
    # The host reads this journal through its link; nothing else may hold it up.
    "etc/systemd/journald.conf.d/10-guest.conf" = ''
      [Journal]
      Storage=persistent
      Compress=no
      Seal=no
      SystemMaxUse=16M
      Audit=no
    '';
    # Else networkd starts timedated for the time zone that the host's DHCP server sends.
    "etc/systemd/network/80-container-host0.network.d/10-guest.conf" = ''
      [DHCPv4]
      UseTimezone=no
    '';
  };

  dropins = {
    "systemd-networkd.service" = import ./unhardened.nix;
    # Every resumed clone has its clock set. Resolved would tell the journal, and the first line that a
    # resumed journal takes is the most expensive thing that happens there.
    "systemd-resolved.service" = import ./unhardened.nix + "Environment=SYSTEMD_LOG_LEVEL=notice\n";
    "systemd-journald.service" = import ./unhardened.nix;
    "dbus-broker.service" = import ./unhardened.nix;
  };

  wanted = [
    "sysinit.target/systemd-resolved.service"
    "multi-user.target/systemd-networkd.service"
    "sockets.target/systemd-networkd.socket"
  ];

  masked = [
    # no console, no login seats, no users of their own
    "console-getty.service"
    "getty.target"
    "systemd-logind.service"
    "systemd-logind-varlink.socket"
    "systemd-user-sessions.service"
    "systemd-ask-password-console.path"
    "systemd-ask-password-wall.path"
    # files come from the closure: nothing is set up at first boot, nothing is updated
    "ldconfig.service"
    "systemd-firstboot.service"
    "systemd-sysusers.service"
    "systemd-update-done.service"
    "systemd-journal-catalog-update.service"
    "systemd-machine-id-commit.service"
    "systemd-pstore.service"
    "systemd-networkd-persistent-storage.service"
    "systemd-network-generator.service"
    "systemd-networkd-wait-online.service"
    "remote-fs.target"
    # `init` opens the persistent journal at once, so there is nothing to flush
    "systemd-journal-flush.service"
    "systemd-journald-audit.socket"
    # `init` and `activate` make the few directories that are needed
    "systemd-tmpfiles-setup.service"
    "systemd-tmpfiles-setup-dev.service"
    "systemd-tmpfiles-setup-dev-early.service"
    "systemd-tmpfiles-clean.timer"
    # hardware and kernel, which belong to the host
    "dev-hugepages.mount"
    "run-lock.mount"
    "sys-fs-fuse-connections.mount"
    "sys-kernel-config.mount"
    "sys-kernel-debug.mount"
    "sys-kernel-tracing.mount"
    "proc-sys-fs-binfmt_misc.automount"
    "kmod-static-nodes.service"
    "systemd-binfmt.service"
    "systemd-hibernate-clear.service"
    "systemd-modules-load.service"
    "systemd-random-seed.service"
    "systemd-remount-fs.service"
    "systemd-sysctl.service"
    "systemd-tpm2-setup-early.service"
    "systemd-tpm2-setup.service"
    "systemd-pcrmachine.service"
    "systemd-pcrphase.service"
    "systemd-pcrphase-sysinit.service"
    # services that only cost a start
    "systemd-hostnamed.socket"
    "systemd-hostnamed.service"
    "systemd-timedated.service"
    "systemd-localed.service"
    "systemd-initctl.socket"
    "systemd-creds.socket"
    "systemd-pcrextend.socket"
    "systemd-pcrlock.socket"
    "systemd-sysext.socket"
    "apt-daily.timer"
    "apt-daily-upgrade.timer"
    "dpkg-db-backup.timer"
    "fstrim.timer"
  ];
}
