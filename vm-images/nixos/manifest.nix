# image.json of a NixOS host, as data: what the lab reads (../README.md has the keys). Builtins only.
# Everything that is known before the image is built; `id`, which tells one build from another, is
# the hash of the finished disk, and the builder puts it in.
{
  name,
  id,
  # everything that the build was told, in any form that differs when it differs
  inputs,
  arch ? "x86_64",
  # kernel parameters, as a list of words
  cmdline,
  os,
  versions,
  storeFilesystem,
  memoryMiB,
  provision,
  # RFC 3339, UTC: of the sources, for there is no clock in a Nix build
  builtAt,
}:
let
  inherit (builtins)
    concatLists
    concatStringsSep
    filter
    hashString
    match
    toJSON
    ;

  problem = condition: text: if condition then [ text ] else [ ];
  unfit = filter (word: match "[^ \t\n]+" word == null) cmdline;
  problems = concatLists [
    (problem (match "[a-z0-9][a-z0-9.-]*" name == null)
      "its name ${toJSON name} is not of small letters, digits, dots and hyphens"
    )
    (problem (match "[0-9a-f]{64}" id == null) "its id ${toJSON id} is not 64 hex digits")
    (problem (arch != "x86_64") "its processor is ${arch}: the lab runs hosts for x86_64 only")
    (problem (unfit != [ ]) "kernel parameters are not single words: ${toJSON unfit}")
    # systemd-nspawn refuses rootidmap on other file systems only when a container starts.
    (problem (storeFilesystem != "ext4")
      "/nix/store is on ${storeFilesystem}: containers need idmapped mounts, use ext4 without an overlay"
    )
    (problem (memoryMiB < 512) "memory of ${toString memoryMiB} MiB is not enough for a host")
    (problem (match "/.*" provision == null) "provision = ${provision} is not an absolute path")
  ];
in
if problems != [ ] then
  throw "the image ${toJSON name} cannot be described: ${concatStringsSep "; " problems}"
else
  {
    version = 1;
    inherit
      name
      id
      arch
      provision
      versions
      ;
    recipe = hashString "sha256" (toJSON inputs);
    kernel = "kernel";
    initrd = "initrd";
    cmdline = concatStringsSep " " cmdline;
    disks = [
      {
        file = "root.qcow2";
        format = "qcow2";
        serial = "root";
      }
    ];
    agent = {
      port = "org.qemu.guest_agent.0";
      protocol = "qemu-ga";
    };
    inherit os;
    store_filesystem = storeFilesystem;
    memory_mib = memoryMiB;
    # Guests are NixOS systems, not made of a tree in the store.
    guest_bases = [ ];
    provenance = {
      # Store paths are named by what they were built from: there are no signed lists to keep.
      releases = [ ];
      built_at = builtAt;
      packages = "packages.tsv";
    };
  }
