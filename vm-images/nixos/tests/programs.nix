# What run.sh compares: programs of Debian in the place of nixpkgs' own, on a nixpkgs small enough to read. Without a builder:
# what is refused is a derivation, and is looked at here as one.
let
  tree = derivation {
    name = "debian";
    system = "x86_64-linux";
    builder = "none";
  };
  place = string: builtins.replaceStrings [ "${tree}" ] [ "TREE" ] (builtins.unsafeDiscardStringContext string);
  package =
    name: more:
    {
      type = "derivation";
      pname = name;
      name = "${name}-1.0";
      version = "1.0";
      outputs = [ "out" ];
      outPath = "/nixpkgs/${name}";
      drvPath = "/nixpkgs/${name}.drv";
      meta.description = "nixpkgs' own words";
    }
    // more;
  nixpkgs = {
    lib.genAttrs =
      names: f:
      builtins.listToAttrs (
        map (name: {
          inherit name;
          value = f name;
        }) names
      );
    stdenv.hostPlatform.system = "x86_64-linux";
    # taken from Debian, with what nixpkgs says of it
    shell = package "shell" {
      outputs = [
        "out"
        "man"
      ];
      shellPath = "/bin/sh";
    };
    # a feature that Debian's has not
    manager =
      let
        make = arguments: package "manager" { withBoot = arguments.withBoot or true; };
      in
      make { }
      // {
        override = {
          __functionArgs.withBoot = true;
          __functor = _: make;
        };
      };
    # not in the table: with sources, text, text that has a version, and no package at all
    compiler = package "compiler" { src = "compiler.tar"; };
    hook = builtins.removeAttrs (package "hook" { }) [ "version" ];
    script = package "script" { };
    formats = name: name;
  };
  overlay = import ../debian/overlay.nix {
    inherit tree;
    own = [ "script" ];
    debian.versions = {
      dash = "0.5.12-9ubuntu1";
      systemd = "262.1-1";
      tool = "1:2.4~rc1+dfsg-3";
    };
    table = {
      shell = "dash";
      manager = {
        debian = [
          "systemd"
          "udev"
        ];
        set = {
          withBoot = false;
          notInThisNixpkgs = true;
        };
      };
      only-debians = "tool";
      absent = "no-such-package";
    };
  };
  final = nixpkgs // overlay final nixpkgs;
  refused = final.compiler;
in
{
  shell = {
    inherit (final.shell)
      name
      version
      shellPath
      outputName
      ;
    inherit (final.shell.meta) description mainProgram;
    path = place "${final.shell}";
    man = place "${final.shell.man}";
    overridden = place "${final.shell.override { colours = true; }}";
  };
  manager = {
    inherit (final.manager) version withBoot;
  };
  only-debians = {
    inherit (final.only-debians) name;
    path = place "${final.only-debians}";
  };
  # Debian's package is asked for when the program's version is, and not before.
  absent = (builtins.tryEval final.absent.version).success;
  refused = {
    inherit (refused) version;
    name = builtins.match "/nix/store/[a-z0-9]+-(.*)" (builtins.unsafeDiscardStringContext "${refused}");
    out = "${refused.out}" == "${refused}";
    overridden = "${refused.override { }}" == "${refused}";
    # Modules compare what nobody uses with what somebody does.
    isTheShell = refused == final.shell;
    says = builtins.elemAt (import ../debian/refusal.nix {
      inherit tree;
      system = "x86_64-linux";
    } "compiler").args 2;
  };
  asTheyAre = map (name: final.${name} == nixpkgs.${name}) [
    "hook"
    "script"
  ];
  formats = final.formats "json";
  words = builtins.filter (word: builtins.match "(bash|cacert|nginx|systemdMinimal)=.*" word != null) (
    builtins.filter builtins.isString (builtins.split " " (import ../debian/programs.nix))
  );
}
