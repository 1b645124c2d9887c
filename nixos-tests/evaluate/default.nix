# The modules of this repository in nixpkgs' real module system: which of their settings come out, and what they
# refuse. `lib` is nixpkgs'; everything else of nixpkgs is declared in options.nix or named here.
#
#   { lib }: { host, changed, backends, refused, guests }
{ lib }:
let
  declare = import ../../tooling/nix/declaration.nix;
  containers = import ../../scenarios/lab/containers.nix;

  # Packages are their names: nothing is built.
  package =
    name:
    derivation {
      inherit name;
      system = "x86_64-linux";
      builder = "/no-builder";
    };
  pkgs = lib.genAttrs [
    "busybox"
    "coreutils"
    "curl"
    "getent"
    "gnugrep"
    "iptables"
    "iputils"
    "jq"
    "nftables"
    "nginx"
  ] package // {
    writeShellScript = name: _: package name;
    writeTextDir = place: _: package (baseNameOf place) // { inherit place; };
    # Its text is part of the result, for the tests of what was put into it.
    writeShellScriptBin = name: text: package name // { inherit text; };
  };

  # Folders of NixOS' own: its profiles are empty here, its firewalls as they are without the fix.
  evaluate =
    {
      modules,
      modulesPath ? ../../tooling/nix/tests/firewalls/unfixed,
      options ? [ ],
    }:
    lib.evalModules {
      modules = [
        ./options.nix
        { _module.args = { inherit pkgs; }; }
      ]
      ++ options
      ++ modules;
      specialArgs = { inherit modulesPath; };
    };

  hostWith =
    modules:
    evaluate {
      modules = [
        ../../vm-images/nixos/system.nix
        { spawnlab.lab.guests = /guests; }
      ]
      ++ modules;
    };
  host = hostWith [ ];

  failures =
    evaluated: map (a: a.message) (builtins.filter (a: !a.assertion) evaluated.config.assertions);

  # With the declaration's containers, as apply-containers.sh would have it running.
  changed = host.extendModules {
    modules = [ host.config.specialisation.changed.configuration ];
  };
  key =
    evaluated: name: evaluated.config.systemd.services."systemd-nspawn@${name}".restartTriggers;

  otherManager = ../../vm-images/nixos/guests/machines/other-manager.nix;
  values = lib.mkOption { type = lib.types.attrsOf lib.types.str; };
  text = lib.mkOption { type = lib.types.lines; };
  web = import ../../vm-images/nixos/guests/machines/web.nix;
  guestWith =
    options: modules:
    evaluate {
      inherit options;
      modules = [
        ../../tooling/nix/guest.nix
        ../../vm-images/nixos/guests/common.nix
      ]
      ++ modules;
    };
  flag = lib.mkOption {
    type = lib.types.bool;
    default = false;
  };
  newer = [
    {
      options.boot.isNspawnContainer = flag;
      options.boot.isContainer = flag;
    }
  ];
  older = [ { options.boot.isContainer = flag; } ];
in
{
  host = {
    failedAssertions = failures host;
    sameAsRenderer =
      (import ../../tooling/nix/tests/same.nix {
        module = host.config;
        inherit containers;
      }).differing;
    units = builtins.attrNames host.config.systemd.services;
    # Named otherwise than NixOS names its own, which would hide one another.
    dropIns = map (file: file.place) host.config.systemd.packages;
    etc = builtins.attrNames host.config.environment.etc;
    users = lib.mapAttrs (_: user: "${toString user.uid}:${user.group}") host.config.users.users;
    store = host.config.fileSystems."/".fsType;
    kernelParams = host.config.boot.kernelParams;
    firewall = host.config.networking.firewall.interfaces;
    provision = lib.hasInfix "guests=/guests\n" (
      lib.findFirst (found: found.name == "spawnlab-provision") null host.config.environment.systemPackages
    ).text;
  };

  changed = {
    failedAssertions = failures changed;
    # A change of one declaration restarts that container, and no other.
    restarted = builtins.filter (name: key changed name != key host name) (
      builtins.attrNames containers
    );
    # What is looked for among the declarations of the image is what a scenario writes.
    declaration = builtins.fromJSON host.config.environment.etc."spawnlab/declarations/changed.json".text;
    running = changed.config.spawnlab.containers.web.nspawnConfig.execConfig;
  };

  backends =
    let
      rules = modules: {
        inherit (hostWith modules) config;
      };
      seen = modules: {
        inherit ((rules modules).config.networking.firewall) interfaces extraInputRules;
        inherit ((rules modules).config) warnings;
      };
    in
    {
      iptables = seen [ ];
      nftables = seen [ { networking.firewall.backend = "nftables"; } ];
      firewalld = seen [ { networking.firewall.backend = "firewalld"; } ];
      zone = seen [ { spawnlab.containers.web.nspawnConfig.networkConfig.Zone = "z"; } ];
      off = seen [ { spawnlab.allowLeases = false; } ];
    };

  refused = {
    name = failures (hostWith [ { spawnlab.containers."bad_name" = { }; } ]);
    group = failures (hostWith [ { spawnlab.containers.web.deployGroup = "nobody-declared-it"; } ]);
    links = failures (hostWith [
      {
        spawnlab.containers.production-web-1 = { };
        spawnlab.containers.production-web-2 = { };
      }
    ]);
    setting = failures (hostWith [ { spawnlab.containers.web.nspawnConfig.execConfig.Boot = true; } ]);
    # By nixpkgs' own types, before any assertion.
    types = map (modules: (builtins.tryEval (builtins.deepSeq (hostWith modules).config.systemd.nspawn true)).success) [
      [ { spawnlab.containers.web.deployGroup = 3; } ]
      [ { spawnlab.containers.web.nspawnConfig.execConfig.Unheard = "of"; } ]
      [ { spawnlab.containers.web = [ ]; } ]
    ];
  };

  guests =
    let
      seen =
        evaluated:
        let
          inherit (evaluated) config;
        in
        {
          inherit (config) boot;
          nix = config.nix.enable;
          inherit (config.networking) hostName useNetworkd useDHCP;
          units = builtins.attrNames config.systemd.services;
          etc = builtins.mapAttrs (_: file: file.text) config.environment.etc;
        };
    in
    {
      newer = seen (guestWith newer [ (web "web version 1\n") ]);
      older = seen (guestWith older [ ]);
      # The same settings by the name that the release has for them.
      manager =
        let
          other = options: (guestWith (newer ++ [ { inherit options; } ]) [ otherManager ]).config.systemd;
        in
        {
          newer = (other { systemd.settings.Manager = values; }).settings;
          older = (other { systemd.extraConfig = text; }).extraConfig;
        };
      broken = seen (
        guestWith newer [
          (web "web version broken\n")
          ../../vm-images/nixos/guests/machines/broken-unit.nix
        ]
      );
      # A new page reloads nginx and touches nothing else.
      differing =
        let
          services =
            page: (guestWith newer [ (web page) ]).config.systemd.services;
          one = services "1\n";
          two = services "2\n";
        in
        builtins.filter (name: one.${name} != two.${name}) (builtins.attrNames one);
    };
}
