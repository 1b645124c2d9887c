# The lab's command, with the programs that it calls and those that it puts into its hosts.
{
  lib,
  rustPlatform,
  makeWrapper,
  installShellFiles,
  stdenv,
  pkgsCross,
  qemu,
  e2fsprogs,
  openssh,
  util-linux,
}:
let
  version = (lib.importTOML ../Cargo.toml).workspace.package.version;
  src = import ./source.nix { inherit lib; };
  common = {
    inherit version src;
    cargoLock.lockFile = ../Cargo.lock;
  };
  # Hosts are x86_64 and have C libraries of their own: what runs in one is linked statically.
  inHosts = pkgsCross.musl64.pkgsStatic.rustPlatform.buildRustPackage (
    common
    // {
      pname = "spawnlab-in-hosts";
      cargoBuildFlags = [
        "--package=nixos-deploy-container"
        "--package=spawnlab-agent"
      ];
      # Tested by the packages that run here.
      doCheck = false;
    }
  );
in
rustPlatform.buildRustPackage (
  common
  // {
    pname = "spawnlab";
    # The wrapper names both programs.
    env.SPAWNLAB_EMBED = "none";
    nativeBuildInputs = [
      makeWrapper
      installShellFiles
    ];
    cargoBuildFlags = [
      "--package=spawnlab"
      "--bin=spawnlab"
    ];
    # Tests that need no VM, no fake program with /bin/bash, and no terminal.
    cargoTestFlags = [
      "--package=spawnlab"
      "--lib"
    ];
    # Both are printed by the program itself, so it has to run here.
    postInstall =
      lib.optionalString (stdenv.buildPlatform.canExecute stdenv.hostPlatform) ''
        installShellCompletion --cmd spawnlab \
          --bash <($out/bin/spawnlab completions bash) \
          --zsh <($out/bin/spawnlab completions zsh) \
          --fish <($out/bin/spawnlab completions fish)
        $out/bin/spawnlab man --dir man1
        installManPage man1/*
      ''
      + ''
        wrapProgram $out/bin/spawnlab \
          --prefix PATH : ${
            lib.makeBinPath [
              qemu
              e2fsprogs
              openssh
              # setpriv, which ends hosts with the lab
              util-linux
            ]
          } \
          --set-default SPAWNLAB_OWN_TOOL ${inHosts}/bin/nixos-deploy-container \
          --set-default SPAWNLAB_AGENT ${inHosts}/bin/spawnlab-agent
      '';
    meta = {
      description = "Integration tests and a VM lab for systemd-nspawn containers";
      license = lib.licenses.mit;
      mainProgram = "spawnlab";
      platforms = lib.platforms.linux;
    };
  }
)
