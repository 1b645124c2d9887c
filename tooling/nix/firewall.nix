# What lets a container's request for a lease through NixOS' firewall, and whether nixpkgs does it
# by itself. Evaluates `networking.firewall.backend` and nothing else of the firewall's settings,
# so that they can be made of the result.
{
  config,
  lib,
  modulesPath,
  # beginnings of the names of the containers' links: ve- of their own, vz- of a zone
  links ? [ "ve-" ],
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

  # firewalld has zones of its own and reads none of NixOS' rules.
  inherit backend;
  understood = builtins.elem backend [
    "iptables"
    "nftables"
  ];

  # The names of these options must not depend on the backend, which is one of their neighbours.
  rules = {
    # Here a plus sign ends a prefix. On nftables it would be a part of the name.
    interfaces = lib.mkIf (backend == "iptables") (
      lib.genAttrs (map (link: "${link}+") links) (_: {
        allowedUDPPorts = [ 67 ];
      })
    );
    extraInputRules = lib.mkIf (backend == "nftables") (
      lib.concatMapStrings (link: ''
        iifname "${link}*" udp dport 67 accept comment "leases of containers"
      '') links
    );
  };
}
