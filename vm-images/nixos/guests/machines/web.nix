# nginx on port 80 with one page, and a second service that no version of this machine ever changes: a
# switch that restarts more than it must is seen by that service's process id.
page:
{ pkgs, ... }:
{
  environment.etc."www/index.html".text = page;

  services.nginx = {
    enable = true;
    virtualHosts.default = {
      default = true;
      root = "/etc/www";
    };
  };
  # The trigger is what makes new content reach the running server, and it's reloaded for it, not restarted.
  systemd.services.nginx.reloadTriggers = [ (builtins.hashString "sha256" page) ];

  systemd.services.steady = {
    description = "A service that never changes";
    wantedBy = [ "multi-user.target" ];
    serviceConfig.ExecStart = "${pkgs.coreutils}/bin/sleep infinity";
  };
}
