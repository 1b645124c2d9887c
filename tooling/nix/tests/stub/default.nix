# A stand-in for nixpkgs. A package is a derivation of the right name that nobody builds; what it was
# given stays in it as `passedTo`, where the tests can look. Evaluating against this shows that the
# flake's outputs are what they should be, never that nixpkgs can build them.
let
  inherit (builtins)
    functionArgs
    intersectAttrs
    listToAttrs
    ;
  genAttrs =
    names: f:
    listToAttrs (
      map (name: {
        inherit name;
        value = f name;
      }) names
    );

  # Modules are not merged here: that is nixpkgs' own. Whoever asks for the result learns it.
  lib = {
    nixosSystem =
      { system, modules }:
      {
        passedTo = { inherit system modules; };
        config = throw "this is the stand-in for nixpkgs: NixOS systems need the real one";
      };
    evalModules =
      { modules, specialArgs }:
      {
        options.spawnlab = { inherit modules specialArgs; };
      };
    optionalString = condition: text: if condition then text else "";
    inherit (builtins) concatMap;
    inherit (builtins) attrValues;
    optionals = condition: list: if condition then list else [ ];
    importTOML = file: builtins.fromTOML (builtins.readFile file);
    makeBinPath = packages: builtins.concatStringsSep ":" (map (package: "${package}/bin") packages);
    fileset = {
      unions = files: files;
      # A missing file is an error, as it is in nixpkgs.
      toSource =
        { root, fileset }:
        if builtins.all builtins.pathExists fileset then root else throw "fileset: a file does not exist";
    };
    licenses.mit = "MIT";
    platforms = {
      unix = [ ];
      linux = [ ];
    };
  };

  packagesFor =
    system:
    let
      package =
        name: arguments:
        derivation {
          inherit name system;
          builder = "/no-builder";
        }
        // {
          passedTo = arguments;
          meta = arguments.meta or { };
        };
      tools =
        genAttrs
          [
            "cargo"
            "clippy"
            "diffutils"
            "e2fsprogs"
            "fakeroot"
            "installShellFiles"
            "jq"
            "makeWrapper"
            "mmdebstrap"
            "nix"
            "nixfmt-tree"
            "openssh"
            "qemu"
            "qemu-utils"
            "rustc"
            "rustfmt"
            "shellcheck"
            "sqlite"
            "util-linux"
          ]
          (name: package name { });
      buildRustPackage = arguments: package "${arguments.pname}-${arguments.version}" arguments;
      pkgs = tools // {
        inherit lib;
        # Of nixpkgs' modules only what this folder has of them: no firewall, for one.
        path = ./.;
        stdenv = {
          hostPlatform = {
            inherit system;
            isLinux = builtins.match ".*-linux" system != null;
          };
          buildPlatform.canExecute = _: true;
        };
        rustPlatform = { inherit buildRustPackage; };
        pkgsCross.musl64.pkgsStatic.rustPlatform = { inherit buildRustPackage; };
        mkShell = package "shell";
        runCommand = name: arguments: script: package name (arguments // { inherit script; });
        writeShellApplication = arguments: package arguments.name arguments;
        closureInfo = package "closure-info";
        testers.runNixOSTest = test: package "vm-test-run" { inherit test; };
        nixosOptionsDoc =
          { options, transformOptions }:
          {
            optionsCommonMark = package "options.md" { inherit options transformOptions; };
          };
        callPackage =
          file: arguments:
          let
            function = import file;
          in
          function (intersectAttrs (functionArgs function) pkgs // arguments);
      };
    in
    pkgs;
in
{
  inherit lib;
  legacyPackages = genAttrs [
    "x86_64-linux"
    "aarch64-linux"
    "aarch64-darwin"
  ] packagesFor;
}
