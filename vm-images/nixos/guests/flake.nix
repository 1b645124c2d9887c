# The machines of ../../guests as real NixOS systems, under the same names: what is deployed on a NixOS host.
# Building the image writes the address of its nixpkgs into its copy of this file.
{
  description = "NixOS guests for testing a deploy tool";

  inputs.nixpkgs = {
    url = "path:@nixpkgs@";
    # Its own flake would name a version by the commit that it does not know here.
    flake = false;
  };

  outputs =
    inputs:
    let
      # On the programs of Debian there is no such input, and the flake names a path of the store: Nix would copy the
      # input into the store, all of it, before each evaluation.
      nixpkgs = inputs.nixpkgs or (import ./nixpkgs.nix);
      machine = import ./machine.nix nixpkgs;
      web = page: modules: machine "web" ([ (import ./machines/web.nix page) ] ++ modules);
    in
    # For flakes that are deployed in the place of this one.
    import ./as-inputs.nix nixpkgs
    // {
      nixosConfigurations = {
        bare = machine "bare" [ ];
        web = web "web version 1\n" [ ];
        web-v2 = web "web version 2\n" [ ];
        web-manager = web "web version 3\n" [ ./machines/other-manager.nix ];
        web-broken = web "web version broken\n" [ ./machines/broken-unit.nix ];
      };
    };
}
