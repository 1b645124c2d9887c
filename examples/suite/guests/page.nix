# A page on port 80.
{ text }:
let
  config = ''
    user www-data;
    pid /run/page.pid;
    error_log stderr;
    events { }
    http {
      access_log off;
      server {
        listen 80;
        listen [::]:80;
        root @out@/share/page;
      }
    }
  '';
in
{
  name = "page";

  files = {
    "share/page/index.html" = text;
    "etc/page.conf" = config;
  };

  # The trigger differs with the text, and nothing else does: a switch reloads the service.
  units."page.service" = ''
    [Unit]
    Description=A page
    X-Reload-Triggers=${builtins.hashString "sha256" (config + text)}

    [Service]
    Type=forking
    PIDFile=/run/page.pid
    ExecStart=/usr/sbin/nginx -e stderr -c /etc/page.conf
    ExecReload=/usr/sbin/nginx -e stderr -c /etc/page.conf -s reload
    StateDirectory=nginx
  '';

  wanted = [ "multi-user.target/page.service" ];
}
