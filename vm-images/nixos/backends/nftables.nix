# The host with NixOS' firewall on nftables.
{ networking.nftables.enable = true; }
