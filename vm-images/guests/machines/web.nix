# nginx on port 80 with one page, and a second service that no version of this machine ever changes: a
# switch that restarts more than it must is seen by that service's process id.
{ page, extra }:
let
  config = ''
    user www-data;
    worker_processes 1;
    pid /run/nginx.pid;
    error_log stderr;
    events { worker_connections 512; }
    http {
      access_log off;
      default_type text/plain;
      server {
        listen 80 default_server;
        listen [::]:80 default_server;
        root @out@/share/www;
      }
    }
  '';
in
{
  name = "web";

  files = {
    "etc/nginx/nginx.conf" = config;
    "share/www/index.html" = page;
  }
  // extra.files or { };

  units = {
    # The trigger is what makes new content reach the running server: the unit differs, and it
    # differs in this line only, so it's reloaded and not restarted.
    "nginx.service" = ''
      [Unit]
      Description=Web server
      After=network.target
      X-Reload-Triggers=${builtins.hashString "sha256" (config + page)}

      [Service]
      Type=forking
      PIDFile=/run/nginx.pid
      ExecStart=/usr/sbin/nginx -e stderr
      ExecReload=/usr/sbin/nginx -e stderr -s reload
      KillSignal=SIGQUIT
      TimeoutStopSec=5
      StateDirectory=nginx
    '';
    "steady.service" = ''
      [Unit]
      Description=A service that never changes

      [Service]
      ExecStart=/usr/bin/sleep infinity
    '';
  }
  // extra.units or { };

  wanted = [
    "multi-user.target/nginx.service"
    "multi-user.target/steady.service"
  ]
  ++ extra.wanted or [ ];
}
