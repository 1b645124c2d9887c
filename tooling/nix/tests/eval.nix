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
    inherit concatMap filter;
    attrValues = attrValues;
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
    mkIf = condition: value: if condition then value else { };
    mkOption = option: option;
    removeSuffix =
      suffix: text:
      builtins.substring 0 (builtins.stringLength text - builtins.stringLength suffix) text;
    types = {
      anything = null;
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
  module =
    (import ../host.nix {
      inherit lib;
      config = {
        spawnlab.containers = mapAttrs (_: container: filled // container) containers;
        users.groups.deployers = { };
      };
    }).config;

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
