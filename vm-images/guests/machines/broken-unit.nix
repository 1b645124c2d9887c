# A unit that fails as soon as it's started, and says why in the journal.
{
  units."broken.service" = ''
    [Unit]
    Description=A service that fails at activation

    [Service]
    Type=oneshot
    RemainAfterExit=yes
    ExecStart=/bin/sh -c 'echo "broken on purpose" >&2; exit 7'
  '';
  wanted = [ "multi-user.target/broken.service" ];
}
