# Packages that are more than a program: the kernel, what a language's programs are looked up in, and checks that only builds
# make.
{
  tree,
  kernel,
  debian,
}:
final: prev:
let
  inherit (prev) lib;

  # --- the kernel: an image and modules, that somebody else has configured and built

  version = builtins.head (builtins.match "([0-9.]+).*" debian.kernel.version);
  # No configuration is at hand when modules ask for one; a kernel that lacks something fails when it boots.
  anything = _: true;
  debianKernel = {
    type = "derivation";
    pname = "linux";
    name = "linux-${version}";
    inherit version;
    inherit (kernel) outPath drvPath system;
    outputs = [ "out" ];
    outputName = "out";
    out = debianKernel;
    modules = debianKernel;
    dev = debianKernel;
    modDirVersion = debian.kernel.version;
    target = "bzImage";
    kernelOlder = lib.versionOlder version;
    kernelAtLeast = lib.versionAtLeast version;
    features = {
      efiBootStub = true;
      ia32Emulation = true;
      netfilterRPFilter = true;
    };
    configfile = "${kernel}/config";
    config = {
      isSet = anything;
      isYes = anything;
      isNo = anything;
      isModule = anything;
      isEnabled = anything;
      isDisabled = anything;
      getValue = _: null;
    };
    inherit (final) stdenv;
    buildDTBs = false;
    isLTS = false;
    isZen = false;
    isHardened = false;
    isLibre = false;
    isXen = false;
    kernelPatches = [ ];
    commonMakeFlags = [ ];
    meta = {
      platforms = [ "x86_64-linux" ];
      available = true;
      broken = false;
    };
    override = _: debianKernel;
    overrideAttrs = _: debianKernel;
    passthru = { };
  };

  # --- wrappers of setuid programs: the only thing that a NixOS system compiles for itself

  wrapperStdenv = final.stdenv // {
    mkDerivation =
      arguments:
      final.stdenv.mkDerivation (
        if lib.isFunction arguments then
          arguments
        else
          arguments // { CC = "${tree}/usr/bin/tcc -B${tree}/usr/lib/x86_64-linux-gnu/tcc"; }
      );
  };
  # Its module takes one header out of the C library's sources.
  glibcSources = final.stdenvNoCC.mkDerivation {
    name = "glibc-sources";
    src = ./glibc;
    phases = [
      "unpackPhase"
      "installPhase"
    ];
    installPhase = "cp -r . $out";
  };

  # Looks at the text of a script, and changes nothing of what is built. Whoever changes nixpkgs has it from there.
  checker =
    name:
    final.writeShellScriptBin name "exit 0"
    // {
      version = "0";
      compiler.bootstrapAvailable = false;
    };

  # Debian's modules are where its perl and its python look for them, all of them or none.
  perlModules = [
    "ConfigIniFiles"
    "FileSlurp"
    "JSON"
  ];
  pythonModules = [ "xmltodict" ];
  # `interpreter` as nixpkgs' function that adds modules to it: `select` names them, among the attributes of `all`.
  withModules =
    set: interpreter: modules: all: select:
    let
      missing = lib.subtractLists modules (select (builtins.mapAttrs (name: _: name) all));
    in
    if missing == [ ] then interpreter else refusal "${set}.${builtins.head missing}";
  perl = prev.perl // {
    withPackages = withModules "perlPackages" perl perlModules prev.perlPackages;
  };
  python3 = prev.python3 // {
    pkgs = python3Packages;
    withPackages = withModules "python3Packages" python3 pythonModules prev.python3.pkgs;
  };
  python3Packages = builtins.mapAttrs (
    name: value:
    if builtins.elem name pythonModules then
      python3
    else if lib.isDerivation value then
      refuse "python3Packages.${name}" value
    else
      value
  ) prev.python3.pkgs;
  refusal = import ./refusal.nix {
    inherit tree;
    inherit (final.stdenv.hostPlatform) system;
  };
  refuse = import ./refuse.nix { inherit lib refusal; };

  script = name: file: final.writeShellScriptBin name (builtins.readFile file);
  # Another one lies here where the user gave one, compiled.
  switch =
    if builtins.pathExists ./switch-to-configuration then
      final.runCommand "switch-to-configuration" { }
        "install -D ${./switch-to-configuration} $out/bin/switch-to-configuration"
    else
      final.writeScriptBin "switch-to-configuration" ''
        #!${tree}/usr/bin/perl
        ${builtins.readFile ./switch-to-configuration.pl}'';

  # Packages look at the version of a compiler before anybody wants them built.
  compiler = name: {
    version = "0";
    outPath = throw "program ${name}: on the programs of Debian nothing is compiled";
  };
in
{
  debianTree = tree;

  llvmPackages = {
    clang = compiler "clang";
    bintools = compiler "llvm";
  };

  pkgsStatic = final // {
    stdenv = wrapperStdenv;
    callPackage = lib.callPackageWith (final // { stdenv = wrapperStdenv; });
  };
  glibc = prev.glibc // {
    overrideAttrs = _: glibcSources;
  };

  shellcheck = checker "shellcheck";
  shellcheck-minimal = checker "shellcheck";
  gixy = checker "gixy";
  nginx-config-formatter = final.writeShellScriptBin "nginxfmt" "cat";

  inherit perl python3 python3Packages;
  # What checks the XML that nixpkgs writes with Python.
  libxml2Python = final.libxml2;

  # Programs of nixpkgs' own in another language: what they do, in a few lines.
  switch-to-configuration-ng = switch // {
    meta.mainProgram = "switch-to-configuration";
  };
  nixos-init = final.writeShellScriptBin "env-generator" (
    builtins.replaceStrings [ "@path@" ] [ "${tree}/usr/bin" ] (builtins.readFile ./env-generator.sh)
  );
  lndir = script "lndir" ./lndir.sh;
  makeBinaryWrapper = final.makeShellWrapper;

  qemu_kvm.ga = final.qemu-guest-agent;

  # Lists of other distributions, which nixpkgs fetches. Debian's kernel needs neither.
  kmod-debian-aliases = final.writeText "aliases.conf" "# Debian's kmod brings its own.\n";
  kmod-blacklist-ubuntu = final.writeTextDir "modprobe.conf" "# A machine of the lab has no such hardware.\n";

  linux = debianKernel;
  linuxPackages = final.linuxPackagesFor debianKernel;
  linuxPackages_latest = final.linuxPackages;
}
