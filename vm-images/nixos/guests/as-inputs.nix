# What a flake of the user's own has as its inputs `nixpkgs` and `spawnlab` where it is deployed in the lab (../own-flake.sh):
# the part of those two flakes that NixOS systems are made with, on the programs that the host has. No packages: Nix would
# look among them first for whatever is asked of the lab's own flake.
nixpkgs:
let
  debian = builtins.pathExists ./debian;
  onDebian = [
    (import ./debian/system.nix nixpkgs)
    # What every system has by default, whose programs are not in the table.
    (
      { lib, ... }:
      {
        fonts.fontconfig.enable = lib.mkDefault false;
        programs.bash.completion.enable = lib.mkDefault false;
      }
    )
  ];
in
{
  lib = import "${nixpkgs}/lib" // {
    nixosSystem =
      arguments:
      import "${nixpkgs}/nixos/lib/eval-config.nix" (
        # A flake's systems say their platform by an option.
        { system = null; }
        // arguments
        // {
          modules = arguments.modules or [ ] ++ (if debian then onDebian else [ ]);
        }
      );
  };
  nixosModules.guest =
    if builtins.pathExists ./guest.nix then ./guest.nix else ../../../tooling/nix/guest.nix;
}
