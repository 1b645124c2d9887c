# A web server with one page.
text:
{ lib, modulesPath, ... }:
{
  imports = [ (modulesPath + "/profiles/minimal.nix") ];

  services.nginx.enable = true;
  services.nginx.virtualHosts.page = {
    default = true;
    root = "/etc/page";
  };
  environment.etc."page/index.html".text = text;
  # nginx reads the page anew by itself; that a switch tells it is for scenarios that watch the switch.
  systemd.services.nginx.reloadTriggers = [ (builtins.hashString "sha256" text) ];

  # The host filters; a container can't load the modules of a firewall of its own.
  networking.firewall.enable = false;

  documentation.enable = false;
  nixpkgs.hostPlatform = "x86_64-linux";
  system.stateVersion = lib.trivial.release;
}
