# Every program of nixpkgs -> the one of Debian, or a refusal by name. Nothing is refused before it is used: modules look at
# names, versions and descriptions of much that they do not need.
{
  table,
  own,
  tree,
  debian,
}:
final: prev:
let
  inherit (prev) lib;
  inherit (builtins) head isList isString;

  packagesOf =
    entry:
    if isString entry then
      [ entry ]
    else if isList entry then
      entry
    else
      packagesOf entry.debian;

  # Debian's version without its epoch, its revision and its marks of repacked sources.
  upstream =
    version:
    let
      parts = builtins.match "([0-9]+:)?([^-+~]*)([-+~].*)?" version;
    in
    if parts == null then version else builtins.elemAt parts 1;

  # Outputs in which nobody looks for a program. They must not bring a unit in a second time.
  bare = [
    "man"
    "doc"
    "devdoc"
    "info"
    "debug"
    "dev"
    "static"
  ];

  # --- a program of Debian: a folder of the tree, with everything else that nixpkgs' package says of itself

  program =
    name: entry:
    let
      package = head (packagesOf entry);
      old = if prev ? ${name} then built prev.${name} (entry.set or { }) else fallback name;
      version = upstream (debian.versions.${package} or (missing name package));
      folder = "${tree}/programs/${name}";
      nothing = "${tree}/programs/.nothing";
      output =
        outputName: path:
        common
        // {
          inherit outputName;
          outputSpecified = true;
          outPath = path;
        };
      outputs = old.outputs or [ "out" ];
      common =
        old
        // (entry.is or { })
        // {
          type = "derivation";
          ofDebian = true;
          inherit version outputs;
          pname = old.pname or name;
          name = "${old.pname or name}-${version}";
          outPath = folder;
          outputName = head outputs;
          inherit (tree) drvPath;
          # Debian has built it: there is nothing to set.
          override = _: self;
          overrideAttrs = _: self;
          overrideDerivation = _: self;
          meta = (old.meta or { }) // {
            mainProgram = entry.main or old.meta.mainProgram or name;
            outputsToInstall = [ (head outputs) ];
            available = true;
            broken = false;
          };
        }
        // lib.genAttrs outputs (
          outputName: output outputName (if builtins.elem outputName bare then nothing else folder)
        );
      self = common;
    in
    self;

  # nixpkgs' package with the features that Debian's has. An argument that this nixpkgs does not know says nothing.
  built =
    package: set:
    if set == { } then package else package.override (builtins.intersectAttrs package.override.__functionArgs set);
  fallback = name: {
    pname = name;
    meta = { };
  };
  missing =
    name: package:
    throw "program ${name}: this image has no Debian package ${package}, which ${file} names for it";

  # --- what is not in the table

  file = "vm-images/nixos/debian/programs.toml";
  refusal = import ./refusal.nix {
    inherit tree;
    inherit (final.stdenv.hostPlatform) system;
  };
  refuse = import ./refuse.nix { inherit lib refusal; };

  # What has neither sources nor a version is made of text and of other programs: scripts, hooks, collections.
  hasSources = value: value ? src || value ? srcs || value ? version;
  looked =
    name: value:
    if value ? ofDebian || builtins.elem name own then
      value
    else if value ? outPath && value.type or null == "derivation" && hasSources value then
      refuse name value
    else
      value;

in
builtins.mapAttrs (
  name: value: if table ? ${name} then program name table.${name} else looked name value
) (removeAttrs prev [ "stdenv" "stdenvNoCC" ])
// builtins.mapAttrs program (removeAttrs table (builtins.attrNames prev))
