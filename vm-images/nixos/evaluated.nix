# What evaluating the host's configuration gives, kept beside the host that it makes: scenarios compare the two
# (scenarios/src/areas/nixos.rs). /etc/spawnlab/evaluated/firewall.json and containers.json.
#
# Only option values and texts go in here. A path that these mention is a part of the host anyway.
{ config, lib, ... }:
let
  inherit (config) networking systemd;
  inherit (networking) firewall;

  # Releases before the option had two backends and one switch.
  backend = firewall.backend or (if networking.nftables.enable then "nftables" else "iptables");
  firewallIs = name: firewall.enable && backend == name;

  # `@PROGRAM ARGUMENT...`, as a unit has it.
  program = command: lib.removePrefix "@" (lib.head (lib.splitString " " (lib.head (lib.toList command))));

  table = name: table: ''
    table ${table.family} ${table.name} {
      ${table.content}
    }
  '';

  # By their file: whichever module declared the container, this is the option that it has to set.
  container =
    name: settings:
    let
      unit = "systemd-nspawn@${name}.service";
    in
    {
      nspawn = {
        Exec = settings.execConfig;
        Files = settings.filesConfig;
        Network = settings.networkConfig;
      };
      dropin = systemd.units.${unit}.text or null;
    };
in
{
  environment.etc."spawnlab/evaluated/firewall.json".text = builtins.toJSON {
    inherit backend;
    inherit (firewall) enable;
    # The option is true, false or the name of a mode.
    reversePath =
      if firewall.checkReversePath == false then
        "off"
      else if firewall.checkReversePath == "loose" then
        "loose"
      else
        "strict";
    # The program that loads the rules, for iptables.
    start =
      if firewallIs "iptables" then program systemd.services.firewall.serviceConfig.ExecStart else null;
    # The rules themselves, for nftables.
    tables =
      if firewallIs "nftables" then
        lib.concatStrings (
          lib.mapAttrsToList table (lib.filterAttrs (_: table: table.enable) networking.nftables.tables)
        )
      else
        null;
  };

  environment.etc."spawnlab/evaluated/containers.json".text = builtins.toJSON (
    lib.mapAttrs container systemd.nspawn
  );
}
