# The host with firewalld, which has zones of its own and reads none of NixOS' rules. NixOS' backend follows from the service: named
# alone, it would leave the host without any firewall.
{
  services.firewalld.enable = true;
  # firewalld's own rules are for nftables.
  networking.nftables.enable = true;
}
