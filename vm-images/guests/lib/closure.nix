# A machine (units, files, what is masked) -> the system closure that a container boots.
#
#   init                        what systemd-nspawn runs; becomes systemd
#   activate                    makes /etc and /run/current-system those of this closure
#   bin/switch-to-configuration compares units with the running closure and acts on the difference
#   units                       what it compares: a line per unit
#   etc/                        becomes /etc/static; `etc/systemd/system` is all of the unit configuration
#   sw/bin                      the programs
#
# One derivation, not one per file: under emulation each build costs about a second.
{ base }:
machine:
let
  inherit (builtins)
    attrNames
    concatStringsSep
    elem
    elemAt
    filter
    genList
    hashString
    isString
    length
    listToAttrs
    match
    readFile
    replaceStrings
    split
    ;

  common = import ./common.nix;

  script =
    file:
    replaceStrings [ "@busybox@" "@base@" ] [ base.busybox "${base.tree}" ] (readFile file);

  programs = {
    "init" = script ./init.sh;
    "activate" = script ./activate.sh;
    "bin/switch-to-configuration" = script ./switch-to-configuration.sh;
  };

  units = machine.units or { };
  dropins = common.dropins // (machine.dropins or { });
  under =
    prefix: suffix: texts:
    listToAttrs (
      map (name: {
        name = "${prefix}${name}${suffix}";
        value = texts.${name};
      }) (attrNames texts)
    );
  files =
    common.files
    // (machine.files or { })
    // under "etc/systemd/system/" "" units
    // under "etc/systemd/system/" ".d/10-guest.conf" dropins;

  # Links below etc/systemd/system: started at boot, and masked.
  wanted = common.wanted ++ (machine.wanted or [ ]);
  masked = common.masked ++ (machine.masked or [ ]);

  # "NAME ALL REST KIND POLICY" per unit: digests of the unit with its drop-ins, as it is and without
  # X-Reload-Triggers; whether the closure has the unit or only drop-ins; what a change does. Made
  # here, where it costs nothing: in the guest each would be several processes at every switch.
  unitLine =
    unit:
    let
      lines = filter isString (split "\n" ((units.${unit} or "") + (dropins.${unit} or "")));
      digest = lines: hashString "sha256" (concatStringsSep "\n" lines);
      has = line: elem line lines;
    in
    concatStringsSep " " [
      unit
      (digest lines)
      (digest (filter (line: match "X-Reload-Triggers=.*" line == null) lines))
      (if units ? ${unit} then "unit" else "dropin")
      (
        if has "X-RestartIfChanged=false" then
          "keep"
        else if has "X-ReloadIfChanged=true" then
          "reload"
        else
          "restart"
      )
    ];
  unitLines = map unitLine (attrNames (units // dropins));

  texts = programs // files // { units = concatStringsSep "\n" unitLines + "\n"; };
  paths = attrNames texts;
  indices = genList (i: i) (length paths);
in
derivation (
  {
    name = "guest-system-${machine.name}";
    system = "x86_64-linux";
    builder = base.busybox;
    args = [
      "sh"
      "-e"
      ./build.sh
    ];
    inherit (base) busybox;
    base = "${base.tree}";
    paths = concatStringsSep "\n" paths;
    wanted = concatStringsSep "\n" wanted;
    masked = concatStringsSep "\n" masked;
    executables = concatStringsSep " " (attrNames programs);
    preferLocalBuild = true;
    allowSubstitutes = false;
  }
  # One environment variable per file: no quoting that a text could break.
  // listToAttrs (
    map (i: {
      name = "text${toString i}";
      value = texts.${elemAt paths i};
    }) indices
  )
)
