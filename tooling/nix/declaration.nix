# One declared container -> what a systemd host needs for it, as plain data. Builtins only: the NixOS
# module (host.nix) and the renderer for other hosts (portable.nix) both take their settings from here,
# so that they can't drift apart.
#
#   declare NAME { serviceConfig ? {}, nspawnConfig ? {}, deployGroup ? "root" } =
#     { name
#       problems = [ text ]                   empty, or why none of the rest can be had
#       unit, profile, deployGroup
#       nspawn   = { Exec, Files, Network }   sections of NAME.nspawn: key -> scalar or list
#       dropin   = { Unit, Service }          sections of a drop-in for systemd-nspawn@NAME.service
#       wantedBy = [ target ]
#       tmpfiles = [ line of tmpfiles.d ]
#       polkit   = text of the polkit rule, "" where only root deploys
#       restartKey = text that differs when the running container has to be restarted }
#
# `serviceConfig` has the form of a NixOS service: serviceConfig, unitConfig, environment, and the
# ordering and requirement lists. `nspawnConfig` has the form of systemd.nspawn.<name>.
name: declared:

let
  inherit (builtins)
    attrNames
    concatLists
    concatStringsSep
    elem
    filter
    isAttrs
    isList
    isString
    listToAttrs
    map
    mapAttrs
    match
    stringLength
    toJSON
    ;

  listed = concatStringsSep ", ";
  toList = value: if isList value then value else [ value ];

  profiles = "/nix/var/nix/profiles/per-container";
  profile = "${profiles}/${name}/system";
  unit = "systemd-nspawn@${name}.service";
  # The per-container folder, as the guest sees it.
  inGuest = "/nix/var/nix/profiles/system";

  deployGroup = declared.deployGroup or "root";

  # --- the forms that are understood

  # What both systemd takes as a machine name and DNS as a host name. It becomes a file name, a unit
  # instance, a host name and a word in a polkit rule: nothing in it may need quoting.
  nameIsValid =
    match "[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?" name != null && stringLength name <= 63;
  groupIsValid = isString deployGroup && match "[A-Za-z_][A-Za-z0-9_-]*" deployGroup != null;

  unitLists = {
    after = "After";
    before = "Before";
    bindsTo = "BindsTo";
    conflicts = "Conflicts";
    partOf = "PartOf";
    requires = "Requires";
    wants = "Wants";
  };

  form = {
    "" = [
      "serviceConfig"
      "nspawnConfig"
      "deployGroup"
    ];
    nspawnConfig = [
      "execConfig"
      "filesConfig"
      "networkConfig"
    ];
    serviceConfig = [
      "serviceConfig"
      "unitConfig"
      "environment"
    ]
    ++ attrNames unitLists;
  };

  nspawnConfig = declared.nspawnConfig or { };
  serviceConfig = declared.serviceConfig or { };
  given = group: key: group.${key} or { };

  # --- what the deploy contract needs, and what of it nobody may change

  execDefaults = {
    # The guest says when it's up, so that a started unit means a running system.
    NotifyReady = true;
    # `init` of the closure is started as any program is; Boot= would look for one in the root.
    Boot = false;
    Parameters = "${inGuest}/init";
    # Without Boot= systemd-nspawn has no signal for an orderly shutdown: it would kill the guest.
    KillSignal = "SIGRTMIN+3";
  };
  filesDefaults = {
    # rootidmap: what root owns on the host belongs to the guest's root, which is another user there.
    BindReadOnly = [
      "/nix/store:/nix/store:rootidmap"
      "${profiles}/${name}:/nix/var/nix/profiles:rootidmap"
    ];
  };
  unitDefaults = {
    # Declared and never deployed is a state, not a failure.
    ConditionPathExists = profile;
  };
  serviceDefaults = {
    # A reload is a switch: the running guest makes itself the closure that the profile names.
    ExecReload = concatStringsSep " " [
      "systemd-run --machine=%i --quiet --collect --no-ask-password --pipe --wait --service-type=exec"
      "${inGuest}/bin/switch-to-configuration test"
    ];
  };
  fixed = [
    "Boot"
    "NotifyReady"
    "Parameters"
    "ConditionPathExists"
    "ExecReload"
  ];

  # What systemd gives the unit is systemd-nspawn's own, which hands on to the guest only what its command line
  # names: https://github.com/systemd/systemd/issues/38966. A declaration that replaces the command line may do so.
  credentials = [
    "ImportCredential"
    "LoadCredential"
    "LoadCredentialEncrypted"
    "SetCredential"
    "SetCredentialEncrypted"
  ];

  # Lists are joined; of two scalars the declaration's counts.
  merge =
    defaults: theirs:
    defaults
    // mapAttrs (
      key: value:
      if isList (defaults.${key} or null) then defaults.${key} ++ toList value else value
    ) theirs;

  nspawn = {
    Exec = merge execDefaults (given nspawnConfig "execConfig");
    Files = merge filesDefaults (given nspawnConfig "filesConfig");
    Network = given nspawnConfig "networkConfig";
  };

  # A closure has nothing of systemd where systemd-nspawn looks for its version. 252 then takes the guest
  # for one that knows cgroup v1 only, which 262 refuses to be.
  environment = {
    SYSTEMD_NSPAWN_UNIFIED_HIERARCHY = "1";
  }
  // given serviceConfig "environment";
  orderings = listToAttrs (
    map (key: {
      name = unitLists.${key};
      value = toList serviceConfig.${key};
    }) (filter (key: serviceConfig ? ${key}) (attrNames unitLists))
  );
  # systemd unquotes these as C strings, which is what JSON's are for such values.
  environmentLines.Environment = map (key: toJSON "${key}=${environment.${key}}") (
    attrNames environment
  );

  dropin = {
    Unit = merge (unitDefaults // orderings) (given serviceConfig "unitConfig");
    Service = merge (serviceDefaults // environmentLines) (given serviceConfig "serviceConfig");
  };

  # --- what is wrong, in the order in which to mend it: a later check relies on those before it

  problem = condition: text: if condition then [ text ] else [ ];

  groups = filter (key: key != "") (attrNames form);
  groupProblems = concatLists (
    map (
      key: problem (!isAttrs (given declared key)) "${key} must be an attribute set"
    ) groups
  );

  unknownIn = key: group: filter (setting: !(elem setting form.${key})) (attrNames group);
  unknownProblems =
    problem (unknownIn "" declared != [ ])
      "unknown setting ${listed (unknownIn "" declared)}: there are ${listed form.""}"
    ++ concatLists (
      map (
        key:
        let
          unknown = unknownIn key (given declared key);
        in
        problem (unknown != [ ]) (
          "${key} has no ${listed unknown}: there are ${listed form.${key}}"
          + (
            if key == "serviceConfig" then
              " (a setting of the [Service] section belongs in serviceConfig.serviceConfig)"
            else
              ""
          )
        )
      ) groups
    );

  sections = [
    {
      path = "nspawnConfig.execConfig";
      value = given nspawnConfig "execConfig";
      defaults = execDefaults;
    }
    {
      path = "nspawnConfig.filesConfig";
      value = given nspawnConfig "filesConfig";
      defaults = filesDefaults;
    }
    {
      path = "nspawnConfig.networkConfig";
      value = given nspawnConfig "networkConfig";
      defaults = { };
    }
    {
      path = "serviceConfig.unitConfig";
      value = given serviceConfig "unitConfig";
      defaults = unitDefaults;
    }
    {
      path = "serviceConfig.serviceConfig";
      value = given serviceConfig "serviceConfig";
      defaults = serviceDefaults;
    }
    {
      path = "serviceConfig.environment";
      value = environment;
      defaults = { };
    }
  ];
  sectionProblems = concatLists (
    map (
      section: problem (!isAttrs section.value) "${section.path} must be an attribute set"
    ) sections
  );
  fixedProblems = concatLists (
    map (
      section:
      concatLists (
        map (
          key:
          problem (
            section.defaults ? ${key} && section.value.${key} != section.defaults.${key}
          ) "${section.path}.${key} must stay ${toJSON section.defaults.${key}}, deploys rely on it"
        ) (filter (key: elem key fixed) (attrNames section.value))
      )
    ) sections
  );

  service = given serviceConfig "serviceConfig";
  credentialProblems = concatLists (
    map (
      key:
      problem (service ? ${key} && !(service ? ExecStart))
        "serviceConfig.serviceConfig.${key} would give systemd-nspawn a credential that the guest never sees; bind a file with nspawnConfig.filesConfig.BindReadOnly, or hand the credential on by an ExecStart with --load-credential="
    ) credentials
  );

  firstOf = checks: builtins.foldl' (found: check: if found != [ ] then found else check) [ ] checks;
  problems = map (text: "container ${toJSON name}: ${text}") (firstOf [
    (problem (!nameIsValid)
      "not a valid container name: letters, digits and inner hyphens, 1 to 63 characters (it becomes a host name)"
    )
    (problem (!isAttrs declared) "its declaration must be an attribute set")
    (problem (!groupIsValid) "deployGroup ${toJSON deployGroup} is not a valid group name")
    groupProblems
    unknownProblems
    sectionProblems
    fixedProblems
    credentialProblems
  ]);
  sound = value: if problems == [ ] then value else throw (concatStringsSep "\n" problems);
in
{
  inherit name problems;
}
// mapAttrs (_: sound) {
  inherit
    unit
    profile
    deployGroup
    nspawn
    dropin
    ;
  wantedBy = [ "multi-user.target" ];
  restartKey = toJSON { inherit nspawn dropin; };

  tmpfiles = [
    "d ${profiles}/${name} ${if deployGroup == "root" then "0755" else "0775"} root ${deployGroup} -"
    "d /var/lib/machines/${name} 0755 root root -"
    # systemd-nspawn takes a root without /usr for no operating system. NixOS had a patch against that until
    # https://github.com/NixOS/nixpkgs/pull/488508.
    "d /var/lib/machines/${name}/usr 0755 root root -"
  ];

  polkit =
    if deployGroup == "root" then
      ""
    else
      ''
        // Members of ${deployGroup} run and reload container ${name}, and enter it.
        polkit.addRule(function(action, subject) {
          if (!subject.isInGroup(${toJSON deployGroup})) return polkit.Result.NOT_HANDLED;
          if (action.id == "org.freedesktop.systemd1.manage-units" &&
              action.lookup("unit") == ${toJSON unit} &&
              ["start", "stop", "restart", "try-restart", "reload", "reload-or-restart",
               "reload-or-try-restart", "reset-failed"].indexOf(action.lookup("verb")) >= 0)
            return polkit.Result.YES;
          if ((action.id == "org.freedesktop.machine1.shell" ||
               action.id == "org.freedesktop.machine1.login") &&
              action.lookup("machine") == ${toJSON name})
            return polkit.Result.YES;
          return polkit.Result.NOT_HANDLED;
        });
      '';
}
