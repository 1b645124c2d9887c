# NixOS guest: what a system needs to run as a declared container (see host.nix) and to be switched
# from outside. Import it into the machine's configuration.
{ lib, options, ... }:
{
  # Releases before 25.11 know only isContainer, which stands for NixOS' own containers and sets more.
  boot.${if options.boot ? isNspawnContainer then "isNspawnContainer" else "isContainer"} = true;

  # NixOS lets every group of 2^31 ping. A container has 65,536 of them, and the kernel refuses a range with a
  # group that is not there: systemd-sysctl would fail, and with it every switch. Stronger than NixOS' own default,
  # weaker than what a machine says itself.
  boot.kernel.sysctl."net.ipv4.ping_group_range" = lib.mkOverride 900 "0 65535";

  # The host owns the store and the profile; both are read-only here.
  nix.enable = lib.mkDefault false;

  # At each shutdown NixOS fills a folder in memory with what unmounts its disks afterwards. A container has none: its
  # stop would take longer for nothing.
  systemd = if options.systemd ? shutdownRamfs then { shutdownRamfs.enable = lib.mkDefault false; } else { };

  # systemd-nspawn sets the host name to the container's, which may differ from the machine's: one
  # machine can be deployed to several containers.
  networking.hostName = lib.mkDefault "";

  # systemd's own 80-container-host0.network asks the host for a lease; anything that NixOS would
  # configure on that link comes before it and wins.
  networking.useNetworkd = true;
  networking.useDHCP = false;

  # Names come from resolved, which takes the server from the lease; the file that systemd-nspawn
  # copies from the host would name a server that answers on the host's loopback only.
  networking.useHostResolvConf = false;
  networking.resolvconf.enable = false;
  services.resolved.enable = true;
}
