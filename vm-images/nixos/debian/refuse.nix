# A package of nixpkgs that Debian's tree does not have: with all that it says of itself, which others look at, and refused by its
# name when it is used.
{ lib, refusal }:
name: value:
let
  refused = {
    inherit (refusal name) outPath drvPath;
    override = _: self;
    overrideAttrs = _: self;
    overrideDerivation = _: self;
  };
  self =
    value
    // refused
    // lib.genAttrs (value.outputs or [ "out" ]) (output: (value.${output} or { }) // refused);
in
self
