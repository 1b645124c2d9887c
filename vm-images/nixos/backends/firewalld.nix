# The host with firewalld, which has zones of its own and reads none of NixOS' rules. NixOS' backend follows from the service: named
# alone, it would leave the host without any firewall.
{
  services.firewalld.enable = true;
  # firewalld's own rules are for nftables.
  networking.nftables.enable = true;

  # What spawnlab.allowLeases does for the other backends, which firewalld has no words for: containers' links are in a zone
  # that lets in requests for leases, and SSH as the uplink's does.
  spawnlab.allowLeases = false;
  services.firewalld.zones.containers = {
    target = "DROP";
    interfaces = [ "ve-+" ];
    ports = [
      {
        protocol = "udp";
        port = 67;
      }
      {
        protocol = "tcp";
        port = 22;
      }
    ];
  };
  # NixOS' other backends forward by default. firewalld forwards between zones by policies, for which NixOS has no options; one that is
  # called as a zone makes it load none of its configuration.
  environment.etc."firewalld/policies/containers-out.xml".text = ''
    <?xml version="1.0" encoding="utf-8"?>
    <policy target="ACCEPT">
      <ingress-zone name="containers"/>
      <egress-zone name="ANY"/>
    </policy>
  '';
}
