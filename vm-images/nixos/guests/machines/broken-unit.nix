# A unit that fails as soon as it's started, and says why in the journal.
{
  systemd.services.broken = {
    description = "A service that fails at activation";
    wantedBy = [ "multi-user.target" ];
    serviceConfig = {
      Type = "oneshot";
      RemainAfterExit = true;
    };
    script = ''
      echo "broken on purpose" >&2
      exit 7
    '';
  };
}
