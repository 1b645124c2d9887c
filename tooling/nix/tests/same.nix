# The settings of the NixOS module and of the portable renderer for the same declaration, setting by
# setting: { CONTAINER.FILE = { onlyModule = [ line ]; onlyPortable = [ line ]; } } for what differs.
{ module, containers }:
let
  inherit (builtins)
    attrNames
    concatLists
    elem
    elemAt
    filter
    genList
    head
    isBool
    isList
    isString
    length
    listToAttrs
    match
    split
    ;
  portable = (import ../portable.nix { inherit containers; }).manifest;
  lines = filter isString (split "\n" portable);

  # As NixOS writes a section: lists are repeated keys, null is left out.
  text = value: if isBool value then (if value then "true" else "false") else toString value;
  settings =
    section: values:
    concatLists (
      map (
        key:
        let
          value = values.${key};
        in
        map (value: "${section}.${key}=${text value}") (
          if value == null then
            [ ]
          else if isList value then
            value
          else
            [ value ]
        )
      ) (attrNames values)
    );

  # The lines of one file of the manifest, each with its section in front.
  file =
    path:
    let
      at = head (
        filter (i: match "file ${path} [0-9]+" (elemAt lines i) != null) (genList (i: i) (length lines))
      );
      count = builtins.fromJSON (head (match "file .* ([0-9]+)" (elemAt lines at)));
      section = line: match "\\[(.*)]" line;
      step =
        state: line:
        if match "#.*" line != null then
          state
        else if section line != null then
          state // { section = head (section line); }
        else
          state // { found = state.found ++ [ "${state.section}.${line}" ]; };
    in
    (builtins.foldl' step {
      section = "";
      found = [ ];
    } (genList (i: elemAt lines (at + 1 + i)) count)).found;

  compare =
    ours: theirs:
    let
      missing = from: filter (line: !(elem line from));
      # The same line twice is two settings.
      result = {
        onlyModule = missing theirs ours;
        onlyPortable = missing ours theirs;
      };
    in
    if builtins.sort (a: b: a < b) ours == builtins.sort (a: b: a < b) theirs then null else result;

  escaped = builtins.replaceStrings [ "." "@" ] [ "\\." "@" ];
  pairs = concatLists (
    map (name: [
      {
        name = "${name}.nspawn";
        value =
          let
            nspawn = module.systemd.nspawn.${name};
          in
          compare (
            settings "Exec" nspawn.execConfig
            ++ settings "Files" nspawn.filesConfig
            ++ settings "Network" nspawn.networkConfig
          ) (file (escaped "etc/systemd/nspawn/${name}.nspawn"));
      }
      {
        name = "${name}.service";
        value =
          let
            service = module.systemd.services."systemd-nspawn@${name}";
          in
          compare (settings "Service" service.serviceConfig ++ settings "Unit" service.unitConfig) (
            file (escaped "etc/systemd/system/systemd-nspawn@${name}.service.d/spawnlab.conf")
          );
      }
    ]) (attrNames containers)
  );
in
{
  compared = map (pair: pair.name) pairs;
  differing = listToAttrs (filter (pair: pair.value != null) pairs);
}
