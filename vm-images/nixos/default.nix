# A NixOS host as an image: a folder with kernel, initrd, root disk and image.json (../README.md).
#
#   mkHostImage { nixpkgs = FLAKE; guestNixpkgs ? nixpkgs; modules ? [ ]; ... }
#
# Hosts are x86_64: so is the machine that builds them, or one that it builds on.
{
  nixpkgs,
  # of the guests that are deployed; a different one tests an older or newer guest on this host
  guestNixpkgs ? nixpkgs,
  name ? "nixos-host",
  modules ? [ ],
  diskMiB ? 20480,
  # evaluating a guest takes about 1 GiB of it
  memoryMiB ? 4096,
}:
let
  system = "x86_64-linux";
  pkgs = nixpkgs.legacyPackages.${system};
  inherit (nixpkgs) lib;

  # --- the guests: evaluated here as they will be in the VM, from the same files and the same nixpkgs

  machines =
    ((import ./guests/flake.nix).outputs { nixpkgs = guestNixpkgs; }).nixosConfigurations;

  # What a build of `drv` finds in its environment: all that a machine without a network needs for it.
  inputsOf = drv: drv.inputDerivation;
  # Those derivations of a guest that differ from machine to machine, and so are built in the VM: a page,
  # a unit, and all that has them inside. Everything below them is brought along.
  builtInTheHost =
    machine:
    let
      inherit (machine) config;
    in
    [
      config.system.build.toplevel
      config.system.build.etc
      config.environment.etc."systemd/system".source
    ]
    ++ lib.optionals (config.environment.etc ? "www/index.html") [
      config.environment.etc."www/index.html".source
      config.systemd.units."nginx.service".unit
    ];

  # The flake for the VM: the same files, with the nixpkgs that is in its store.
  guests =
    pkgs.runCommand "spawnlab-guests"
      {
        nixpkgs = "${guestNixpkgs}";
        preferLocalBuild = true;
      }
      ''
        mkdir $out
        cp -r ${./guests}/. $out
        chmod -R u+w $out
        cp ${../../tooling/nix/guest.nix} $out/guest.nix
        substituteInPlace $out/flake.nix --replace-fail @nixpkgs@ "$nixpkgs"
      '';

  # --- the host

  host = nixpkgs.lib.nixosSystem {
    inherit system;
    modules = [
      ./system.nix
      { spawnlab.lab = { inherit guests; }; }
    ]
    ++ modules;
  };
  inherit (host) config;
  toplevel = config.system.build.toplevel;
  root = config.fileSystems."/";

  closure = pkgs.closureInfo {
    rootPaths = [
      toplevel
      "${guestNixpkgs}"
    ]
    ++ map inputsOf (lib.concatMap builtInTheHost (lib.attrValues machines));
  };

  # A date of the sources: 20261124220256 -> 2026-11-24T22:02:56Z
  builtAt =
    let
      date = nixpkgs.lastModifiedDate or "19700101000000";
      part = from: length: builtins.substring from length date;
    in
    "${part 0 4}-${part 4 2}-${part 6 2}T${part 8 2}:${part 10 2}:${part 12 2}Z";

  description = builtins.toJSON (
    import ./manifest.nix {
      inherit name memoryMiB builtAt;
      # Replaced by the hash of the finished disk.
      id = builtins.hashString "sha256" "";
      inputs = map builtins.unsafeDiscardStringContext [
        toplevel.drvPath
        closure.drvPath
        (toString diskMiB)
        (toString memoryMiB)
      ];
      cmdline = [ "init=${toplevel}/init" ] ++ config.boot.kernelParams;
      os = {
        id = "nixos";
        version = config.system.nixos.release;
        pretty = "NixOS ${config.system.nixos.version}";
      };
      versions = {
        systemd = config.systemd.package.version;
        nix = config.nix.package.version;
        kernel = config.boot.kernelPackages.kernel.modDirVersion;
      };
      storeFilesystem = (config.fileSystems."/nix/store" or config.fileSystems."/nix" or root).fsType;
      provision = "/run/current-system/sw/bin/spawnlab-provision";
    }
  );
in
pkgs.runCommand name
  {
    nativeBuildInputs = [
      pkgs.e2fsprogs
      pkgs.fakeroot
      pkgs.jq
      pkgs.nix
      pkgs.qemu-utils
      pkgs.sqlite
    ];
    inherit description;
    # image.json names the system that the kernel starts. It is in the disk: who has the image needs no second one.
    __structuredAttrs = true;
    unsafeDiscardReferences.out = true;
    passthru = {
      inherit host machines;
    };
    meta = {
      description = "A NixOS host for the lab: kernel, initrd, root disk and image.json";
      platforms = [ system ];
    };
  }
  ''
    mkdir $out
    cp ${config.system.build.kernel}/${config.system.boot.loader.kernelFile} $out/kernel
    cp ${config.system.build.initialRamdisk}/${config.system.boot.loader.initrdFile} $out/initrd
    sh ${./disk.sh} ${closure} ${toplevel} ${toString diskMiB} "$PWD/root.raw"
    qemu-img convert -O qcow2 -c -o compression_type=zstd root.raw $out/root.qcow2

    # tree, package, version
    sed -E 's,^/nix/store/[^-]+-,host\t,; s,-([0-9][^-]*(-[^-]+)*)$,\t\1,' ${closure}/store-paths |
      sort >$out/packages.tsv
    printf 'guests\tsystemd\t%s\n' ${machines.web.config.systemd.package.version} >>$out/packages.tsv
    id=$(sha256sum <$out/root.qcow2 | cut -d' ' -f1)
    printf '%s' "$description" | jq --arg id "$id" '.id = $id' >$out/image.json
  ''
