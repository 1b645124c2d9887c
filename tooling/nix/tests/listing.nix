# The outputs of a flake of one kind -> a text with a line for each: its path and what it is. Every version of Nix
# prints `nix flake show` in words of its own; this is the same in all of them. An output whose name can't be evaluated
# fails the listing.
kind: outputs:
let
  inherit (builtins)
    attrNames
    concatMap
    concatStringsSep
    seq
    typeOf
    ;

  derivation = value: value.type or null == "derivation";
  app = value: value.type or null == "app";
  # What is between the kind and the outputs: systems, in most kinds.
  folder = value: typeOf value == "set" && !(derivation value) && !(app value);

  # Not to its address: hosts have arguments that the stand-in for nixpkgs cannot evaluate.
  line =
    path: value:
    if derivation value then
      "${path}: ${value.name}" + (if value ? meta.description then ", ${value.meta.description}" else "")
    else if app value then
      seq value.program "${path}: app"
    else
      "${path}: ${typeOf value}";

  lines =
    path: value:
    if folder value then
      concatMap (name: lines "${path}.${name}" value.${name}) (attrNames value)
    else
      [ (line path value) ];
in
concatStringsSep "\n" (lines kind outputs) + "\n"
