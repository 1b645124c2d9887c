# programs.toml as words for tree.pl.
let
  inherit (builtins)
    attrNames
    concatStringsSep
    isAttrs
    isList
    ;
  table = (builtins.fromTOML (builtins.readFile ./programs.toml)).programs;
  packages =
    entry:
    if isAttrs entry then
      packages entry.debian
    else if isList entry then
      concatStringsSep "," entry
    else
      entry;
  also = entry: map (link: "${link}:${entry.also.${link}}") (attrNames (entry.also or { }));
  copies = entry: map (place: "${place}:${entry.copy.${place}}") (attrNames (entry.copy or { }));
  word =
    name:
    let
      entry = table.${name};
    in
    "${name}=${entry.units or "lib"}=${packages entry}=${concatStringsSep "," (also entry)}=${concatStringsSep "," (copies entry)}";
in
concatStringsSep " " (map word (attrNames table))
