# The deploy tool, for the machine that deploys.
{ lib, rustPlatform }:
rustPlatform.buildRustPackage {
  pname = "nixos-deploy-container";
  version = (lib.importTOML ../Cargo.toml).workspace.package.version;
  src = import ./source.nix { inherit lib; };
  cargoLock.lockFile = ../Cargo.lock;
  cargoBuildFlags = [ "--package=nixos-deploy-container" ];
  # The tests of whole deploys replace ssh and Nix by scripts with an interpreter that a build sandbox
  # does not have; the units' tests need nothing.
  cargoTestFlags = [
    "--package=nixos-deploy-container"
    "--bins"
  ];
  meta = {
    description = "Deploys a NixOS configuration into a systemd-nspawn container of a remote host";
    license = lib.licenses.mit;
    mainProgram = "nixos-deploy-container";
    platforms = lib.platforms.unix;
  };
}
