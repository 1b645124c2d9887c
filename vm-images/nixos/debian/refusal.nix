# What stands for a program that Debian's tree does not have: a derivation that fails and says so. It is not an error when it is
# evaluated, since modules compare programs that nobody uses with those that somebody does, by their paths. The builder of
# images looks for these names in all that it is about to build (build/3-host.sh, build/4-guests.sh).
{ tree, system }:
name:
derivation {
  name = "missing-program-${name}";
  inherit system;
  builder = "${tree}/usr/bin/busybox";
  args = [
    "sh"
    "-c"
    "echo 'program ${name} is not among the programs of Debian that this image has: add it to vm-images/nixos/debian/programs.toml, if Debian has it, and build the image again'; exit 1"
  ];
  preferLocalBuild = true;
  allowSubstitutes = false;
}
