# NixOS host: systemd-nspawn containers that are declared here and deployed from outside.
#
#   imports = [ ./host.nix ];
#   spawnlab.containers.web = { };
#
# The settings themselves come from declaration.nix, which other systemd hosts use as well.
{
  config,
  lib,
  modulesPath,
  ...
}:
let
  inherit (lib) mkOption types;

  cfg = config.spawnlab.containers;
  declare = import ./declaration.nix;
  declared = lib.mapAttrsToList (
    name: container: declare name { inherit (container) serviceConfig nspawnConfig deployGroup; }
  ) cfg;
  # What is wrong with the others is said by the assertions.
  sound = lib.filter (container: container.problems == [ ]) declared;
  withGroup = lib.filter (container: container.deployGroup != "root") sound;
  perContainer = f: lib.listToAttrs (map f sound);

  # A link has 15 characters, three of which are `ve-`.
  linkLength = 12;
  start = container: builtins.substring 0 linkLength container.name;
  linked = lib.filter (
    container:
    builtins.stringLength container.name > linkLength
    && (container.nspawn.Network.VirtualEthernet or true) != false
  ) sound;
  clashing = lib.filter (
    names: builtins.length names > 1
  ) (lib.attrValues (builtins.mapAttrs (_: map (c: c.name)) (builtins.groupBy start linked)));

  firewall = import ./firewall.nix {
    inherit config lib modulesPath;
    links = [
      "ve-"
    ]
    ++ lib.optional (lib.any (container: (container.nspawn.Network.Zone or null) != null) sound) "vz-";
  };

  container = {
    options = {
      serviceConfig = mkOption {
        type = types.attrsOf types.anything;
        default = { };
        example = {
          serviceConfig.MemoryMax = "2G";
          after = [ "postgresql.service" ];
        };
        description = ''
          Settings of the container's service on the host, in the form of a NixOS service:
          `serviceConfig`, `unitConfig`, `environment`, `after`, `before`, `wants`, `requires`,
          `bindsTo`, `partOf` and `conflicts`. A change restarts the container.
        '';
      };

      nspawnConfig = mkOption {
        type = types.submodule {
          freeformType = types.attrsOf types.anything;
          options = lib.genAttrs [ "execConfig" "filesConfig" "networkConfig" ] (
            section:
            mkOption {
              type = types.attrsOf types.anything;
              default = { };
              description = "The `${section}` of {option}`systemd.nspawn.<name>`, see {manpage}`systemd.nspawn(5)`.";
            }
          );
        };
        default = { };
        example = {
          networkConfig.VirtualEthernet = false;
          filesConfig.Bind = [ "/srv/data:/data:idmap" ];
        };
        description = ''
          Settings of systemd-nspawn for the container. Lists are added to those that deploys need;
          `Boot`, `Parameters` and `NotifyReady` are fixed. A change restarts the container.
        '';
      };

      deployGroup = mkOption {
        type = types.str;
        default = "root";
        example = "web-developers";
        description = ''
          Group whose members may deploy to this container: they write its profile, start, stop,
          restart and reload its service, and open a shell in it. They need access to the Nix
          daemon, and get no rights on any other container. `root` leaves all of it to root.
        '';
      };
    };
  };
in
{
  options.spawnlab.distinctLinkNames = mkOption {
    type = types.bool;
    default = true;
    description = ''
      Whether to refuse containers with links of their own whose names agree in the first 12
      characters. That is what of a name fits behind `ve-`: with a network naming scheme before v245
      the second of them does not start, and with a later one their links are told apart only by a hash.
    '';
  };

  options.spawnlab.allowLeases = mkOption {
    type = types.bool;
    default = !firewall.fixed;
    defaultText = lib.literalMD "`true`, unless the firewall of this nixpkgs allows it by itself";
    description = ''
      Whether the host's firewall lets containers ask for a lease: UDP port 67 on the links `ve-*`, and
      on `vz-*` where a container is in a zone.
      NixOS' firewall refuses these requests, and containers are left with link-local addresses, as
      long as nixpkgs lacks <https://github.com/NixOS/nixpkgs/pull/498177>.
      Understands the iptables and the nftables backend; on another it does nothing and warns.
    '';
  };

  options.spawnlab.containers = mkOption {
    type = types.attrsOf (types.submodule container);
    default = { };
    example = {
      web = { };
      api.deployGroup = "api-developers";
    };
    description = ''
      Containers of this host, by name. A name is a host name: letters, digits and inner hyphens, at
      most 63. What a container runs is deployed into
      {file}`/nix/var/nix/profiles/per-container/<name>/system`; until then its service is
      skipped, not failed.
    '';
  };

  config = lib.mkIf (cfg != { }) {
    assertions =
      map (problem: {
        assertion = false;
        message = "spawnlab.containers: ${problem}";
      }) (lib.concatMap (container: container.problems) declared)
      ++ map (container: {
        assertion = config.users.groups ? ${container.deployGroup};
        message = "spawnlab.containers: container \"${container.name}\": deployGroup \"${container.deployGroup}\" is not in users.groups";
      }) withGroup
      ++ map (names: {
        assertion = !config.spawnlab.distinctLinkNames;
        message = "spawnlab.containers: containers ${
          lib.concatMapStringsSep " and " (name: "\"${name}\"") names
        }: the first ${toString linkLength} characters, all that fits into the name of a link, are the same; rename one, or set spawnlab.distinctLinkNames = false where the naming scheme is v245 or later";
      }) clashing;

    warnings = lib.optional (config.spawnlab.allowLeases && !firewall.understood) ''
      spawnlab.allowLeases does nothing with networking.firewall.backend = "${firewall.backend}": containers get no lease until that firewall lets in UDP port 67 on ve-*. Set it to false once it does.
    '';

    networking.firewall = lib.mkIf config.spawnlab.allowLeases firewall.rules;

    # The host's end of a container's link, its address and its DHCP server are networkd's.
    networking.useNetworkd = true;

    systemd.nspawn = perContainer (container: {
      inherit (container) name;
      value = {
        execConfig = container.nspawn.Exec;
        filesConfig = container.nspawn.Files;
        networkConfig = container.nspawn.Network;
      };
    });

    systemd.services = perContainer (container: {
      name = lib.removeSuffix ".service" container.unit;
      value = {
        # systemd ships the template; a whole unit here would replace it.
        overrideStrategy = "asDropin";
        inherit (container) wantedBy;
        unitConfig = container.dropin.Unit;
        serviceConfig = container.dropin.Service;
        # systemd-nspawn reads its settings at start, and nothing else would restart it for them. A
        # change of what the container runs is not in here: that is a reload.
        restartTriggers = [ container.restartKey ];
        # One restart, instead of a stop before and a start after the host's activation.
        stopIfChanged = false;
      };
    });

    systemd.tmpfiles.rules = lib.concatMap (container: container.tmpfiles) sound;

    security.polkit.enable = lib.mkIf (withGroup != [ ]) true;
    security.polkit.extraConfig = lib.concatMapStrings (container: container.polkit) withGroup;
  };
}
