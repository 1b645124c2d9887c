# The host with firewalld, which has zones of its own and reads none of NixOS' rules.
{ networking.firewall.backend = "firewalld"; }
