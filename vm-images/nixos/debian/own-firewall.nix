# For comparing two nixpkgs: nothing of the lab's in the host's firewall, so that what lets a container have its lease, or refuses
# it, is nixpkgs'.
{ spawnlab.allowLeases = false; }
