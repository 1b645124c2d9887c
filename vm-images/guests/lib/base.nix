# The guest base as a derivation whose output the host already has. A fixed-output derivation is known
# by its hash alone: evaluating needs no store path to exist on the deploying side, and building finds
# the output valid and fetches nothing. On a host that lacks the tree, the build fails at this address
# instead of inventing one.
{ name, hash, ... }@description:
let
  tree = derivation {
    inherit name;
    system = "builtin";
    builder = "builtin:fetchurl";
    url = "file:///etc/spawnlab/guest-base.nar";
    unpack = true;
    executable = false;
    outputHashMode = "recursive";
    outputHashAlgo = null;
    outputHash = hash;
    preferLocalBuild = true;
  };
in
{
  inherit tree;
  busybox = "${tree}${description.busybox}";
}
