# Declarations of the NixOS options that the modules of this repository set, with the types that they have in
# nixpkgs as far as a definition can get them wrong. What NixOS makes of the values is not in here.
{ lib, ... }:
let
  inherit (lib) mkOption types;

  of =
    type: default:
    mkOption {
      inherit type default;
    };
  flag = of types.bool false;
  strings = of (types.listOf types.str) [ ];
  lines = of types.lines "";
  sets =
    options:
    mkOption {
      type = types.attrsOf (types.submodule { inherit options; });
      default = { };
    };
  # One setting of a unit's section: repeated keys are lists, and null leaves it out.
  setting = types.oneOf [
    types.bool
    types.int
    types.float
    types.str
    types.path
    types.package
    (types.listOf (
      types.oneOf [
        types.bool
        types.int
        types.float
        types.str
        types.path
        types.package
      ]
    ))
  ];
  section = of (types.attrsOf (types.nullOr setting)) { };
  # A name that is not there is refused, as it is in NixOS.
  sectionOf =
    keys:
    mkOption {
      type = types.addCheck (types.attrsOf (types.nullOr setting)) (
        value: builtins.all (key: builtins.elem key keys) (builtins.attrNames value)
      );
      default = { };
    };
in
{
  options = {
    assertions = of (types.listOf types.unspecified) [ ];
    warnings = strings;

    boot.kernel.sysctl = of (types.attrsOf (
      types.oneOf [
        types.bool
        types.int
        types.str
      ]
    )) { };
    boot.kernelParams = strings;
    boot.loader.grub.enable = of types.bool true;

    console.enable = of types.bool true;
    documentation.enable = of types.bool true;

    environment.etc = sets {
      text = of (types.nullOr types.lines) null;
      source = of (types.nullOr types.path) null;
    };
    environment.systemPackages = of (types.listOf types.package) [ ];

    fonts.fontconfig.enable = of types.bool true;

    fileSystems = sets {
      device = of (types.nullOr types.nonEmptyStr) null;
      fsType = of types.nonEmptyStr "auto";
    };

    networking = {
      hostName = of (types.strMatching "^$|^[[:alnum:]]([[:alnum:]_-]{0,61}[[:alnum:]])?$") "nixos";
      useDHCP = of types.bool true;
      useHostResolvConf = flag;
      useNetworkd = flag;
      resolvconf.enable = of types.bool true;
      nftables.enable = flag;
      nftables.tables = sets { enable = of types.bool true; };
      firewall = {
        allowedTCPPorts = of (types.listOf types.port) [ ];
        enable = of types.bool true;
        backend = of (types.enum [
          "iptables"
          "nftables"
          "firewalld"
        ]) "iptables";
        checkReversePath = of (types.either types.bool (types.enum [
          "strict"
          "loose"
        ])) true;
        extraInputRules = lines;
        interfaces = sets { allowedUDPPorts = of (types.listOf types.port) [ ]; };
      };
    };

    nix = {
      enable = of types.bool true;
      channel.enable = of types.bool true;
      settings = of (types.attrsOf (
        types.oneOf [
          types.bool
          types.int
          types.str
          (types.listOf types.str)
        ]
      )) { };
    };
    nixpkgs.hostPlatform = of types.str "x86_64-linux";

    programs.bash.completion.enable = of types.bool true;
    programs.ssh.extraConfig = lines;
    programs.ssh.setXAuthLocation = of types.bool true;

    security.polkit.enable = flag;
    security.polkit.extraConfig = lines;

    services.nginx = {
      enable = flag;
      virtualHosts = sets {
        default = flag;
        root = of (types.nullOr types.path) null;
      };
    };
    services.openssh = {
      enable = flag;
      hostKeys = of (types.listOf types.attrs) [ ];
      settings = of (types.attrsOf types.anything) { };
      extraConfig = lines;
    };
    services.qemuGuest.enable = flag;
    services.resolved.enable = flag;
    services.timesyncd.enable = of types.bool true;

    specialisation = sets { configuration = of types.deferredModule { }; };

    system.build = of (types.lazyAttrsOf types.unspecified) { };
    system.name = of types.str "unnamed";
    system.stateVersion = of types.str "00.00";

    systemd.generators = of (types.attrsOf types.path) { };
    systemd.network = {
      wait-online.enable = of types.bool true;
      networks = sets {
        matchConfig = section;
        networkConfig = section;
        dhcpV4Config = section;
        ipv6AcceptRAConfig = section;
      };
    };
    systemd.nspawn = sets {
      execConfig = sectionOf [
        "Boot"
        "Environment"
        "KillSignal"
        "NotifyReady"
        "Parameters"
      ];
      filesConfig = sectionOf [
        "Bind"
        "BindReadOnly"
      ];
      networkConfig = sectionOf [
        "VirtualEthernet"
        "Zone"
      ];
    };
    systemd.services = sets {
      enable = of types.bool true;
      description = of types.str "";
      after = strings;
      bindsTo = strings;
      wantedBy = strings;
      path = of (types.listOf types.package) [ ];
      script = lines;
      overrideStrategy = of (types.enum [
        "asDropinIfExists"
        "asDropin"
      ]) "asDropinIfExists";
      stopIfChanged = of types.bool true;
      reloadTriggers = of (types.listOf types.unspecified) [ ];
      restartTriggers = of (types.listOf types.unspecified) [ ];
      unitConfig = section;
      serviceConfig = section;
    };
    systemd.packages = of (types.listOf types.package) [ ];
    systemd.tmpfiles.rules = strings;
    systemd.units = sets { text = of (types.nullOr types.str) null; };

    users.groups = sets { gid = of (types.nullOr types.int) null; };
    users.users = sets {
      uid = of (types.nullOr types.int) null;
      description = of types.str "";
      extraGroups = strings;
      group = of types.str "";
      hashedPassword = of (types.nullOr types.str) null;
      isNormalUser = flag;
    };
  };
}
