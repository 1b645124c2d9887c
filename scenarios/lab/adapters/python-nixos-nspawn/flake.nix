# What nixos-nspawn builds: nixosContainers.SYSTEM.CONTAINER, of a machine in the flake that is deployed.
{
  outputs =
    { self }:
    let
      request = import ./request.nix;
      # A flake without inputs is a function of itself.
      machines = (import ./machines/flake.nix).outputs { self = machines; } // {
        outPath = ./machines;
      };
    in
    {
      nixosContainers.x86_64-linux.${request.container} = import ./container.nix {
        name = request.container;
        nspawnConfig = request.declared.${request.container}.nspawnConfig or { };
        inherit (machines.nixosConfigurations.${request.machine}.config.system.build) toplevel;
      };
    };
}
