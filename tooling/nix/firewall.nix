# What lets a container's request for a lease through NixOS' firewall, and whether nixpkgs does it
# by itself. Evaluates `networking.firewall.backend` and nothing else of the firewall's settings,
# so that they can be made of the result.
{
  config,
  lib,
  modulesPath,
}:
let
  # Releases before the option had two backends and one switch.
  backend =
    config.networking.firewall.backend
      or (if config.networking.nftables.enable then "nftables" else "iptables");

  # The fix has no option that could be asked for: the module that writes the rules is read. Its own
  # comments don't count.
  source = modulesPath + "/services/networking/firewall-${backend}.nix";
  mentions =
    line:
    builtins.isString line
    && builtins.match "[ \t]*#.*" line == null
    && builtins.match ".*ve-[+*].*" line != null;
in
{
  fixed =
    builtins.pathExists source && lib.any mentions (builtins.split "\n" (builtins.readFile source));

  # The names of these options must not depend on the backend, which is one of their neighbours.
  rules = {
    # Here a plus sign ends a prefix. On nftables it would be a part of the name.
    interfaces = lib.mkIf (backend == "iptables") { "ve-+".allowedUDPPorts = [ 67 ]; };
    extraInputRules = lib.mkIf (backend == "nftables") ''
      iifname "ve-*" udp dport 67 accept comment "leases of containers"
    '';
  };
}
