# The container declaration, rendered for a systemd host that isn't NixOS. Builtins only.
#
#   nix eval --raw --file portable.nix --argstr declaration /path/to/containers.nix manifest
#
# `containers` is an attribute set: container name -> its declaration (see declaration.nix). The
# manifest is a text that `apply` installs:
#
#   spawnlab-containers 1             format and its version
#   container NAME GROUP UNIT TARGET  one line per container
#   file PATH COUNT                   followed by COUNT lines, the file's text; PATH is below /
#   end                               a manifest without it was cut off
{
  declaration ? null,
  containers ? import (/. + declaration),
}:
let
  inherit (builtins)
    attrNames
    concatMap
    concatStringsSep
    filter
    isBool
    isFloat
    isInt
    isList
    isString
    length
    match
    split
    toJSON
    ;
  declare = import ./declaration.nix;

  declared =
    if builtins.isAttrs containers then
      map (name: declare name containers.${name}) (attrNames containers)
    else
      throw "the container declaration must be an attribute set of containers, it is a ${builtins.typeOf containers}";

  # One setting -> its lines. systemd reads the rest of the line as the value, so there is nothing to
  # quote and nothing that could be: a line break would be the next setting.
  line =
    container: key: value:
    let
      fail = text: throw "container ${toJSON container.name}: ${key} ${text}";
      text =
        if isBool value then
          (if value then "true" else "false")
        else if isInt value || isFloat value then
          toString value
        else if isString value then
          value
        else
          fail "is a ${builtins.typeOf value}: a setting is a string, a number, a boolean or a list of these";
    in
    if value == null then
      [ ]
    else if isList value then
      concatMap (line container key) value
    else if match "[^\n]*" text == null then
      fail "has a line break in its value"
    else
      [ "${key}=${text}" ];

  section =
    container: title: settings:
    let
      lines = concatMap (key: line container key settings.${key}) (attrNames settings);
    in
    if lines == [ ] then [ ] else [ "[${title}]" ] ++ lines;

  sections =
    container: group: concatMap (title: section container title group.${title}) (attrNames group);

  header = "# Written by the container declaration's apply; a change made here is undone by its next run.";

  filesOf = container: [
    {
      path = "etc/systemd/nspawn/${container.name}.nspawn";
      lines = [ header ] ++ sections container container.nspawn;
    }
    {
      path = "etc/systemd/system/${container.unit}.d/spawnlab.conf";
      lines = [ header ] ++ sections container container.dropin;
    }
  ];

  sharedFiles = [
    {
      path = "etc/tmpfiles.d/spawnlab-containers.conf";
      lines = [
        header
      ]
      ++ concatMap (c: c.tmpfiles) declared;
    }
    {
      path = "etc/polkit-1/rules.d/60-spawnlab-containers.rules";
      lines = [
        "// Written by the container declaration's apply; a change made here is undone by its next run."
      ]
      ++ concatMap (c: textLines c.polkit) declared;
    }
  ];

  textLines = text: filter (part: isString part && part != "") (split "\n" text);

  manifest = [
    "spawnlab-containers 1"
  ]
  ++ map (
    c: concatStringsSep " " ([ "container" c.name c.deployGroup c.unit ] ++ c.wantedBy)
  ) declared
  ++ concatMap (file: [ "file ${file.path} ${toString (length file.lines)}" ] ++ file.lines) (
    concatMap filesOf declared ++ sharedFiles
  )
  ++ [ "end" ];
in
{
  inherit declared;
  manifest = concatStringsSep "\n" manifest + "\n";
}
