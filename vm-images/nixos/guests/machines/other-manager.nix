# The service manager's own settings differ: a switch executes it anew, as for another systemd. Compared is
# system.conf, whose option has another name in older releases.
{ options, ... }:
{
  systemd =
    if options.systemd ? settings then
      { settings.Manager.DefaultEnvironment = "LAB=changed"; }
    else
      { extraConfig = "DefaultEnvironment=LAB=changed"; };
}
