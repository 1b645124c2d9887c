# What run.sh compares with the files in expected/. Builtins only.
let
  inherit (builtins)
    attrNames
    attrValues
    concatLists
    concatMap
    concatStringsSep
    filter
    head
    isList
    listToAttrs
    map
    mapAttrs
    ;
  containers = import ./containers.nix;
  declare = import ../declaration.nix;
  declared = mapAttrs declare containers;

  # Just enough of nixpkgs' lib to call the module as NixOS does after it has merged the options.
  lib = {
    inherit attrValues concatMap filter;
    any = builtins.any;
    literalMD = text: text;
    concatMapStringsSep =
      separator: f: list:
      concatStringsSep separator (map f list);
    concatMapStrings = f: list: concatStringsSep "" (map f list);
    genAttrs =
      names: f:
      listToAttrs (
        map (name: {
          inherit name;
          value = f name;
        }) names
      );
    listToAttrs = listToAttrs;
    mapAttrsToList = f: set: attrValues (mapAttrs f set);
    optional = condition: value: if condition then [ value ] else [ ];
    mkIf = condition: value: if condition then value else { };
    mkOption = option: option;
    removeSuffix =
      suffix: text:
      builtins.substring 0 (builtins.stringLength text - builtins.stringLength suffix) text;
    types = {
      anything = null;
      bool = null;
      str = null;
      attrsOf = _: null;
      submodule = _: null;
    };
  };
  filled = {
    serviceConfig = { };
    nspawnConfig = { };
    deployGroup = "root";
  };
  moduleOf =
    containers: networking: modulesPath:
    (import ../host.nix {
      inherit lib modulesPath;
      config = {
        spawnlab = {
          containers = mapAttrs (_: container: filled // container) containers;
          distinctLinkNames = true;
          allowLeases = true;
        };
        users.groups.deployers = { };
        inherit networking;
      };
    });
  iptables.firewall.backend = "iptables";
  nftables.firewall.backend = "nftables";
  module = (moduleOf containers iptables ./firewalls/unfixed).config;
  failures =
    containers:
    map (a: a.message) (
      filter (a: !a.assertion) (moduleOf containers iptables ./firewalls/unfixed).config.assertions
    );

  sameSettings =
    name:
    let
      data = declared.${name};
      nspawn = module.systemd.nspawn.${name};
      service = module.systemd.services."systemd-nspawn@${name}";
    in
    nspawn.execConfig == data.nspawn.Exec
    && nspawn.filesConfig == data.nspawn.Files
    && nspawn.networkConfig == data.nspawn.Network
    && service.unitConfig == data.dropin.Unit
    && service.serviceConfig == data.dropin.Service
    && service.wantedBy == data.wantedBy
    && service.restartTriggers == [ data.restartKey ];
in
{
  declaration = declared;
  module = {
    differsFromDeclaration = filter (name: !(sameSettings name)) (attrNames containers);
    failedAssertions = map (a: a.message) (filter (a: !a.assertion) module.assertions);
    tmpfiles = module.systemd.tmpfiles.rules;
    polkit = module.security.polkit;
    against.portable = import ./same.nix { inherit module containers; };
    # A difference in either direction is found: the comparison above can fail.
    against.others =
      (import ./same.nix {
        inherit module;
        containers = containers // {
          plain.nspawnConfig.networkConfig.Zone = "z";
          everything = containers.everything // {
            serviceConfig = { };
          };
        };
      }).differing;
    refused = {
      names = failures { "bad_name" = { }; };
      group = failures { web.deployGroup = "nobody-declared-it"; };
      links = failures {
        production-web-1 = { };
        production-web-2 = { };
        production-web-3.nspawnConfig.networkConfig.VirtualEthernet = false;
      };
    };
    firewall =
      let
        defaultOf =
          networking: modulesPath:
          (moduleOf containers networking modulesPath).options.spawnlab.allowLeases.default;
        older.nftables.enable = true;
      in
      {
        iptables = module.networking.firewall;
        nftables = (moduleOf containers nftables ./firewalls/unfixed).config.networking.firewall;
        zone =
          (moduleOf { web.nspawnConfig.networkConfig.Zone = "z"; } nftables ./firewalls/unfixed)
          .config.networking.firewall;
        warnings = map (networking: (moduleOf containers networking ./firewalls/unfixed).config.warnings) [
          iptables
          { firewall.backend = "firewalld"; }
        ];
        older = (moduleOf containers older ./firewalls/unfixed).config.networking.firewall;
        firewalld =
          (moduleOf containers { firewall.backend = "firewalld"; } ./firewalls/unfixed).config.networking.firewall;
        neededWithoutTheFix = map (networking: defaultOf networking ./firewalls/unfixed) [
          iptables
          nftables
        ];
        neededWithTheFix = map (networking: defaultOf networking ./firewalls/fixed) [
          iptables
          nftables
        ];
      };
    inherit (module.systemd.services."systemd-nspawn@plain") overrideStrategy stopIfChanged;
  };
  refused = map (
    declaration:
    let
      name = head (attrNames declaration);
    in
    (declare name declaration.${name}).problems
  ) (import ./refused.nix);
}
