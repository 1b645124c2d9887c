# A system closure with what nixos-nspawn reads beside it: `nixos-nspawn/` has the settings of the container, a drop-in
# for its unit, and what the tool itself wants to know. Settings are what its modules make of these options:
#
#   activation.strategy = "reload"; userNamespacing = true; timeoutStartSec = "5min";
#
# and systemd.nspawn.NAME has what the lab declares for the container.
{
  name,
  toplevel,
  nspawnConfig,
}:
let
  inherit (builtins)
    attrNames
    concatMap
    concatStringsSep
    isBool
    isList
    toJSON
    ;

  value =
    given:
    if isBool given then
      (if given then "true" else "false")
    else
      toString given;
  lines =
    settings:
    concatMap (
      key:
      map (one: "${key}=${value one}") (
        if isList settings.${key} then settings.${key} else [ settings.${key} ]
      )
    ) (attrNames settings);
  section =
    title: settings: concatStringsSep "\n" ([ "[${title}]" ] ++ lines settings) + "\n";

  exec = {
    Boot = false;
    Ephemeral = "no";
    KillSignal = "SIGRTMIN+3";
    LinkJournal = "guest";
    NotifyReady = true;
    Parameters = "${toplevel}/init";
    PrivateUsers = "pick";
  };
  files = {
    PrivateUsersOwnership = "auto";
    BindReadOnly = [
      "/nix/store:/nix/store:rootidmap"
      "/nix/var/nix/profiles:/nix/var/nix/profiles:rootidmap"
    ];
  };
in
derivation {
  inherit name toplevel;
  system = "x86_64-linux";
  builder = toplevel.busybox;
  args = [
    "sh"
    "-ec"
    ''
      mkdir -p $out/nixos-nspawn
      for entry in $toplevel/*; do ln -s $entry $out/; done
      printf '%s' "$nspawn" >$out/nixos-nspawn/$name.nspawn
      printf '%s' "$overrides" >$out/nixos-nspawn/service-overrides.conf
      printf '%s' "$data" >$out/nixos-nspawn/data.json
    ''
  ];
  nspawn =
    section "Exec" (exec // nspawnConfig.execConfig or { })
    + section "Files" (files // nspawnConfig.filesConfig or { })
    + section "Network" (nspawnConfig.networkConfig or { });
  overrides = section "Service" {
    Environment = "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1";
    ExecReload = concatStringsSep " " [
      "systemd-run --quiet --machine=%i --collect --no-ask-password --pipe --service-type=exec"
      "${toplevel}/bin/switch-to-configuration test"
    ];
    TimeoutStartSec = "5min";
  };
  data = toJSON {
    activation = {
      autoStart = true;
      reloadScript = null;
      strategy = "reload";
    };
    bindMounts = [ ];
    declarative = false;
    ephemeral = false;
    sharedNix = true;
    userNamespacing = true;
    zone = null;
  };
  preferLocalBuild = true;
  allowSubstitutes = false;
}
