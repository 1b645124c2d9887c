# The only stage of nixpkgs on Debian's programs: nixpkgs' own stdenv, whose tools are those of the tree in the store. There is
# no compiler: what would be built from sources is a program, and programs are Debian's.
{ nixpkgs, tree }:
{
  lib,
  localSystem,
  crossSystem,
  config,
  overlays,
  ...
}:
assert lib.assertMsg (
  crossSystem == null || lib.systems.equals localSystem crossSystem
) "the programs of Debian are for ${localSystem.system}: nothing else can be built with them";
let
  refusal = import ./refusal.nix {
    inherit tree;
    inherit (localSystem) system;
  };
  libc = {
    type = "derivation";
    pname = "glibc";
    name = "glibc";
    version = "0";
    outputs = [ "out" ];
    outputName = "out";
    outPath = "${tree}/programs/glibc";
    inherit (tree) drvPath;
    meta = { };
  };
  generic = import (nixpkgs + "/pkgs/stdenv/generic") { defaultConfig = config; };
in
[
  (
    { }:
    {
      inherit config overlays;
      stdenv = generic {
        name = "stdenv-debian";
        buildPlatform = localSystem;
        hostPlatform = localSystem;
        targetPlatform = localSystem;
        shell = "${tree}/usr/bin/bash";
        initialPath = [ "${tree}/usr" ];
        # Modules and packages ask which compiler there would be; nobody is given one.
        hasCC = false;
        cc = {
          inherit (refusal "gcc") outPath;
          isGNU = true;
          isClang = false;
          isArmClang = false;
          isCcache = false;
          isZig = false;
          bintools = {
            dynamicLinker = "${tree}/usr/lib64/ld-linux-x86-64.so.2";
            inherit (refusal "binutils") outPath;
            isLLVM = false;
            isGNU = true;
          };
          libc = libc // {
            bin = libc;
            out = libc;
            dev = libc;
          };
          version = "0";
          targetPrefix = "";
        };
        # Stripping and the search for shared objects would only look at links.
        preHook = ''
          export NIX_ENFORCE_PURITY= dontStrip=1 dontPruneLibtoolFiles=1
        '';
        fetchurlBoot = throw "nothing can be fetched on the programs of Debian";
      };
    }
  )
]
