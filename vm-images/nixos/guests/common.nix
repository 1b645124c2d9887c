# What every guest of the lab shares.
{
  lib,
  modulesPath,
  pkgs,
  ...
}:
{
  imports = [ (modulesPath + "/profiles/minimal.nix") ];

  nixpkgs.hostPlatform = "x86_64-linux";

  # The host filters. A firewall in here would need kernel modules that a guest can't load, and rights
  # that it has not got where it shares the host's network.
  networking.firewall.enable = false;

  environment.systemPackages = [
    pkgs.curl
    pkgs.iputils
  ];

  # Nobody looks at a guest, or types in it.
  fonts.fontconfig.enable = false;
  programs.bash.completion.enable = false;

  # A page of documentation names the files that options were declared in, and so the folder of this flake.
  documentation.enable = false;
  system.stateVersion = lib.trivial.release;
}
