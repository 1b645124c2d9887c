{
  description = "Integration tests and a VM lab for systemd-nspawn containers";

  # The one input; the lock file is the user's to make (`nix flake lock`).
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      linux = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      # Deploying needs only Nix and ssh: a Mac can do it.
      all = linux ++ [ "aarch64-darwin" ];
      each =
        systems: f:
        builtins.listToAttrs (
          map (system: {
            name = system;
            value = f nixpkgs.legacyPackages.${system};
          }) systems
        );
      isLinux = pkgs: builtins.elem pkgs.stdenv.hostPlatform.system linux;

      # Names that do not depend on `pkgs`: an overlay's can't, since `pkgs` is made of them.
      programs = pkgs: {
        nixos-deploy-container = pkgs.callPackage ./nix/deploy-tool.nix { };
        spawnlab = pkgs.callPackage ./nix/spawnlab.nix { };
      };
      ours =
        pkgs: if isLinux pkgs then programs pkgs else removeAttrs (programs pkgs) [ "spawnlab" ];

      # Images of hosts are x86_64, whatever they are asked for on: on another machine Nix has to have
      # an x86_64 one to build on.
      hosts = {
        host-image = self.lib.mkHostImage { };
        # For comparing two nixpkgs: nothing of this flake's in the firewall.
        verify-host = self.lib.mkHostImage {
          name = "nixos-verify";
          modules = [ { spawnlab.allowLeases = false; } ];
        };
        verify-host-nftables = self.lib.mkHostImage {
          name = "nixos-verify-nftables";
          modules = [
            {
              spawnlab.allowLeases = false;
              networking.nftables.enable = true;
            }
          ];
        };
      };
    in
    {
      nixosModules = {
        host = ./tooling/nix/host.nix;
        guest = ./tooling/nix/guest.nix;
      };

      overlays.default = final: _: programs final;

      lib = {
        # A NixOS host for the lab, as a folder with an image.json: `mkHostImage { nixpkgs, modules, ... }`,
        # vm-images/nixos has the rest.
        mkHostImage = arguments: import ./vm-images/nixos ({ inherit nixpkgs; } // arguments);

        # A NixOS system to deploy into a container: `mkGuest { system, modules }`.
        mkGuest =
          {
            system ? "x86_64-linux",
            modules ? [ ],
          }:
          nixpkgs.lib.nixosSystem {
            inherit system;
            modules = [ self.nixosModules.guest ] ++ modules;
          };
      };

      packages = each all (
        pkgs:
        ours pkgs
        // (
          if isLinux pkgs then
            hosts
            // {
              # Red until nixpkgs has the change that it is about, so it is no check before.
              nspawn-firewall-test = (import ./nixos-tests/firewall-test.nix { inherit pkgs; }).test;
            }
          else
            { }
        )
        // {
          default = (ours pkgs).nixos-deploy-container;
          options-documentation = pkgs.callPackage ./nix/options.nix { };
        }
      );

      apps = each linux (pkgs: {
        lab = {
          type = "app";
          program = "${(ours pkgs).spawnlab}/bin/spawnlab";
        };
        verify = {
          type = "app";
          program = "${
            pkgs.callPackage ./nix/verify.nix {
              inherit (ours pkgs) spawnlab;
              flake = "path:${self}";
            }
          }/bin/spawnlab-verify";
        };
      });

      devShells = each all (pkgs: {
        default = import ./nix/shell.nix { inherit pkgs; };
      });

      formatter = each all (pkgs: pkgs.nixfmt-tree);

      checks = each all (
        pkgs:
        {
          inherit (ours pkgs) nixos-deploy-container;
        }
        // (
          if isLinux pkgs then
            {
              inherit (ours pkgs) spawnlab;
              declaration = pkgs.callPackage ./nix/check-declaration.nix { };
            }
          else
            { }
        )
        // (
          if pkgs.stdenv.hostPlatform.system == "x86_64-linux" then
            import ./nixos-tests {
              inherit pkgs;
              inherit (ours pkgs) spawnlab;
              inherit (self.lib) mkHostImage;
            }
          else
            { }
        )
      );
    };
}
